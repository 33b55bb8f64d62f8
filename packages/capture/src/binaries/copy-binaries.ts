import { once } from 'node:events'
import { type BigIntStats, fstat, read } from 'node:fs'
import { lstat, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import {
  BINARIES,
  binaryPart,
  type CoreReasonCode,
  isBuildId,
  readStoredBinaries,
} from '@core-dump-handler/bundle'
import { ElfFile, fileSource } from '@core-dump-handler/report'
import type { Load } from '../concurrency/scheduler.ts'
import type { CaptureContext } from '../context.ts'
import type { HeldProcess } from '../report/held-process.ts'
import { findLocalFiles } from '../report/local-files.ts'
import { makeDirectory } from '../system/make-directory.ts'
import { errorCode, errorMessage } from '../text.ts'

export interface BinaryLimits {
  /** @default 512 MiB */
  readonly maxFileBytes?: number
  /** Of all that wait for their upload. @default 1 GiB */
  readonly maxWaitingBytes?: number
  /** For another capture that copies. @default 10000 */
  readonly waitMs?: number
  /** For all files of one crash. @default 60000 */
  readonly copyMs?: number
}

const readFrom = promisify(read)

const MIB = 1024 * 1024
const CHUNK_BYTES = 256 * 1024
/** 64 MiB/s at most, and half of the time of a slower disk: cores have the rest. */
const MIN_PAUSE_MS = 4
const LOCK_RETRY_MS = 250
/** A file takes at most this part of the space that is free above MIN_FREE_BYTES: the rest is for cores. */
const FREE_SHARE = 10
/** Crashes of which nothing is kept that a debugger could open, or whose binaries came with the ones before. */
const NOT_WANTED: ReadonlySet<CoreReasonCode | undefined> = new Set([
  'CORE_REFUSED',
  'CORE_NO_SPACE',
  'CORE_SUPPRESSED',
])

/** An open file, and its build-id. */
interface Binary {
  readonly fd: number
  readonly buildId: string
}

/**
 * For BINARIES=true: copies the executable and the libraries of a crashed process, which were opened while it
 * was held, to `CORE_DIR/binaries`, from where the agent uploads them; those that the store has or that wait
 * already are left out. For when the bundle is published: one capture of the node at a time, slowly, and not
 * while there are many crashes. What was left out is in the log; rejects when the directory cannot be used.
 */
export async function copyBinaries(
  held: HeldProcess | undefined,
  { load, reasonCode }: { readonly load: Load; readonly reasonCode: CoreReasonCode | undefined },
  context: Pick<CaptureContext, 'settings' | 'directory' | 'stop' | 'log'>,
  limits: BinaryLimits = {},
): Promise<void> {
  const { stop, log } = context
  if (held === undefined || NOT_WANTED.has(reasonCode)) return
  if (load !== 'low' || stop.signal.aborted) {
    const why = load === 'low' ? 'the capture was stopped' : 'too many crashes at once'
    return log.write('info', `Binaries are not copied: ${why}`)
  }
  await copyMissing(held, context, limits)
}

async function copyMissing(
  held: HeldProcess,
  {
    settings,
    directory: coreDir,
    stop,
    log,
  }: Pick<CaptureContext, 'settings' | 'directory' | 'stop' | 'log'>,
  {
    maxFileBytes = 512 * MIB,
    maxWaitingBytes = 1024 * MIB,
    waitMs = 10_000,
    copyMs = 60_000,
  }: BinaryLimits,
): Promise<void> {
  const directory = join(coreDir, BINARIES)
  const stored = await readStoredBinaries(directory)
  const missing = (await findBinaries(held)).filter(({ buildId }) => !stored.has(buildId))
  if (missing.length === 0) return
  await makeDirectory(directory)
  const unlock = await lockCopying(directory, waitMs)
  if (unlock === undefined) return log.write('info', 'Binaries are not copied: others are')
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(copyMs)])
  try {
    // in this order: the agent notes what it has stored before it deletes it
    const waiting = await readWaiting(directory)
    const storedNow = await readStoredBinaries(directory)
    for (const { fd, buildId } of missing) {
      if (waiting.has(buildId) || storedNow.has(buildId)) continue
      try {
        const free = await freeBytes(directory)
        const waitingBytes = [...waiting.values()].reduce((sum, bytes) => sum + bytes, 0)
        const share = Math.floor((free - settings.minFreeBytes) / FREE_SHARE)
        const room = Math.min(maxWaitingBytes - waitingBytes, share)
        const maxBytes = Math.max(0, Math.min(maxFileBytes, room))
        waiting.set(buildId, await copyBinary(fd, { directory, buildId, maxBytes, signal }))
        log.write('debug', `Copied binary ${buildId}`)
      } catch (error) {
        log.write('warn', `Binary ${buildId} is not copied: ${errorMessage(error)}`)
      }
      if (signal.aborted) return
    }
  } finally {
    unlock()
  }
}

/** Of the files that may be read without waiting for another machine, those that have a build-id. */
async function findBinaries(held: HeldProcess): Promise<Binary[]> {
  const isLocal = await findLocalFiles(held)
  const found = new Map<string, Binary>()
  for (const file of held.files) {
    if (file.fd === undefined || !isLocal(file)) continue
    const buildId = buildIdOf(file.fd)
    if (buildId === undefined || !isBuildId(buildId) || found.has(buildId)) continue
    found.set(buildId, { fd: file.fd, buildId })
  }
  return [...found.values()]
}

/** Sizes of the files that wait for their upload, by build-id. */
async function readWaiting(directory: string): Promise<Map<string, number>> {
  const waiting = new Map<string, number>()
  for (const name of await readdir(directory)) {
    if (!isBuildId(name)) continue
    const stats = await lstat(join(directory, name)).catch(() => undefined)
    if (stats !== undefined) waiting.set(name, stats.size)
  }
  return waiting
}

async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}

export interface CopyBinaryOptions {
  readonly directory: string
  /** That of the file, by which the copy is named. */
  readonly buildId: string
  readonly maxBytes: number
  readonly signal: AbortSignal
}

/**
 * Copies the file behind a descriptor to `<directory>/<build-id>`, 0600, whole and on the disk before it has
 * that name; resolves with its size. The build-id is compared with that of the copy, as the file belongs to
 * another program. Nothing is left of a copy that fails. The caller has the lock of the directory.
 */
export async function copyBinary(
  fd: number,
  { directory, buildId, maxBytes, signal }: CopyBinaryOptions,
): Promise<number> {
  const before = await statOf(fd)
  const bytes = Number(before.size)
  if (bytes > maxBytes) throw new Error(`it has ${bytes} bytes, and there is room for ${maxBytes}`)
  const part = join(directory, binaryPart(buildId))
  // of a composer that was killed
  await rm(part, { force: true })
  await using copy = await open(part, 'wx+', 0o600)
  try {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
    for (let at = 0; at < bytes;) {
      signal.throwIfAborted()
      const startedMs = performance.now()
      const { bytesRead } = await readFrom(fd, buffer, 0, Math.min(CHUNK_BYTES, bytes - at), at)
      if (bytesRead === 0) break
      const { bytesWritten } = await copy.write(buffer, 0, bytesRead, at)
      at += bytesWritten
      await sleep(Math.max(MIN_PAUSE_MS, performance.now() - startedMs))
    }
    if (hasChanged(before, await statOf(fd))) throw new Error('it was written to meanwhile')
    const copied = buildIdOf(copy.fd)
    if (copied !== buildId) throw new Error(`its copy has the build-id ${copied ?? 'none'}`)
    await copy.sync()
    await rename(part, join(directory, buildId))
    return bytes
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}

/** In hex; undefined for a file without one, and for one that is no 64-bit little-endian ELF file. */
export function buildIdOf(fd: number): string | undefined {
  return ElfFile.open(fileSource(fd))?.buildId
}

function statOf(fd: number): Promise<BigIntStats> {
  return new Promise((resolve, reject) => {
    fstat(fd, { bigint: true }, (error, stats) => (error ? reject(error) : resolve(stats)))
  })
}

function hasChanged(before: BigIntStats, after: BigIntStats): boolean {
  // not ctime: a file of an image may be unlinked meanwhile
  return before.size !== after.size || before.mtimeNs !== after.mtimeNs
}

/**
 * Waits until no other capture of this node copies to `directory`; resolves with what ends that, or with
 * undefined after `timeoutMs`. The lock is the name of an abstract socket, unix(7), which the kernel frees when
 * its process dies.
 */
export async function lockCopying(
  directory: string,
  timeoutMs: number,
): Promise<(() => void) | undefined> {
  const { dev, ino } = await stat(directory)
  const path = `\0core-dump-handler/binaries/${dev}:${ino}`
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    const unlock = await listen(path)
    if (unlock !== undefined || performance.now() >= deadlineMs) return unlock
    await sleep(LOCK_RETRY_MS)
  }
}

async function listen(path: string): Promise<(() => void) | undefined> {
  const server = createServer((socket) => socket.destroy())
  server.listen(path)
  try {
    await once(server, 'listening')
    return () => server.close()
  } catch (error) {
    if (errorCode(error) === 'EADDRINUSE') return undefined
    throw error
  }
}
