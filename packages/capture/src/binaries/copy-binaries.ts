import { lstat, readdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import {
  BINARIES,
  type CoreReasonCode,
  isBuildId,
  readStoredBinaries,
} from '@core-dump-handler/bundle'
import type { Load } from '../concurrency/scheduler.ts'
import type { CaptureContext } from '../context.ts'
import type { HeldProcess } from '../report/held-process.ts'
import { findLocalFiles } from '../report/local-files.ts'
import { makeDirectory } from '../system/make-directory.ts'
import { errorMessage } from '../text.ts'
import { lockCopying } from './copier-lock.ts'
import { buildIdOf, copyBinary } from './copy-binary.ts'

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

const MIB = 1024 * 1024
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
