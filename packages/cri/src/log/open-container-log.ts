import { constants } from 'node:fs'
import { type FileHandle, open, readdir, readlink } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import type { BlockingCalls } from '../blocking-calls.ts'
import { type LogTail, readTail } from './read-tail.ts'

const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY
// <namespace>_<pod>_<uid>/<container>/<attempt>.log
const OWN_COMPONENTS = 3
// far above what a disk takes that works
const LIMIT_MS = 5000

/** A container's log: opened while the file exists, read later. */
export interface ContainerLog {
  /**
   * The last lines of both streams in the order of the file, each ended by a newline; partial
   * records are joined. Rejects with the reason when nothing can be read.
   */
  tail(lines: number): Promise<LogTail>
  close(): Promise<void>
}

export interface LogOptions {
  /**
   * Upper bound of bytes read from the log.
   * @default 1048576
   */
  readonly maxBytes?: number
  /** With it, a link to docker's JSON log of this container is followed. */
  readonly containerId?: string
}

/**
 * Open the CRI log file at `path`, or docker's JSON log to which it links, and the one before it
 * where it was rotated. Only regular files are opened, and no other link within the pod's log
 * directory is followed. Rejects with a system error, `ENOENT` where there is no log.
 *
 * One file at a time is used: a call on a mount that does not answer keeps one thread of the pool.
 */
export async function openContainerLog(
  path: string,
  { maxBytes = 1 << 20, containerId }: LogOptions = {},
): Promise<ContainerLog> {
  const dockerLog = containerId === undefined ? undefined : await dockerLogAt(path, containerId)
  const file = dockerLog ?? path
  // in this order: a rotation in between shows one file twice and misses none
  const current = await openRegularFile(file).catch((error: unknown) => error)
  const rotatedPath = dockerLog === undefined ? await lastRotated(path) : `${dockerLog}.1`
  const rotated =
    rotatedPath === undefined
      ? undefined
      : await openRegularFile(rotatedPath).catch(() => undefined)
  if (!isFile(current) && rotated === undefined) throw current
  const files = [rotated, current].filter((one) => isFile(one))

  /** The files open so far, and the one that a rotation has begun since. */
  async function sequence(): Promise<readonly FileHandle[]> {
    const latest = await openRegularFile(file).catch(() => undefined)
    if (latest !== undefined) files.push(latest)
    const inodes = new Set<number>()
    const different: FileHandle[] = []
    for (const one of files) {
      const { ino } = await one.stat()
      if (!inodes.has(ino)) different.push(one)
      inodes.add(ino)
    }
    return different
  }

  return {
    tail: async (lines) => readTail(await sequence(), lines, maxBytes),
    close: async () => {
      for (const one of files.splice(0)) await one.close()
    },
  }
}

/** The logs that one lookup holds open. Their files are used by one call at a time. */
export interface OpenLogs {
  /** The log at `path` of the container `id`; opened once, by the first call. */
  open(path: string, id: string): Promise<ContainerLog>
  /** Does not wait for a file that hangs. */
  close(): Promise<void>
}

export function createOpenLogs(
  maxBytes: number,
  signal: AbortSignal,
  calls: BlockingCalls,
): OpenLogs {
  const logs = new Map<string, Promise<ContainerLog>>()
  const opened: ContainerLog[] = []
  let closed = false

  async function openLog(path: string, containerId: string): Promise<ContainerLog> {
    const log = await openContainerLog(path, { maxBytes, containerId })
    opened.push(log)
    // opened after close()
    if (closed) await log.close()
    return log
  }

  async function openInTurn(path: string, id: string): Promise<ContainerLog> {
    const limit = { limitMs: LIMIT_MS, signal }
    const log = await calls.run(path, () => openLog(path, id), limit)
    return {
      tail: (lines) => calls.run(path, () => log.tail(lines), { limitMs: LIMIT_MS }),
      close: () => log.close(),
    }
  }

  return {
    open: (path, id) => {
      const log = logs.get(path) ?? openInTurn(path, id)
      logs.set(path, log)
      // a log opened early may fail before a caller awaits it
      log.catch(() => {})
      return log
    },
    close: async () => {
      closed = true
      for (const log of opened) {
        const closing = calls.run('a log', () => log.close(), { limitMs: LIMIT_MS })
        await closing.catch(() => {})
      }
    },
  }
}

/**
 * The target of a link at `path` that dockerd or cri-dockerd makes for this container:
 * `<data-root>/containers/<id>/<id>-json.log`. Any other link could be one of the pod's.
 */
async function dockerLogAt(path: string, id: string): Promise<string | undefined> {
  const target = await readlink(path).catch(() => '')
  const isOwn = /^[0-9a-f]{64}$/.test(id) && target.endsWith(`/containers/${id}/${id}-json.log`)
  return isOwn && target.startsWith('/') ? target : undefined
}

/**
 * The log that the kubelet rotated last: `0.log` becomes `0.log.20060102-150405`, and is compressed
 * only when the next one follows it.
 */
async function lastRotated(path: string): Promise<string | undefined> {
  const prefix = `${basename(path)}.`
  const names = await readdir(dirname(path)).catch(() => [])
  const last = names
    .filter((name) => name.startsWith(prefix) && /^\d{8}-\d{6}$/.test(name.slice(prefix.length)))
    .toSorted()
    .at(-1)
  return last === undefined ? undefined : join(dirname(path), last)
}

function isFile(file: unknown): file is FileHandle {
  return typeof file === 'object' && file !== null && 'fd' in file
}

/**
 * Open a log for reading. A pod that has /var/log mounted can put links and FIFOs in the place of
 * its log, so only a regular file is opened, and no link is followed in the pod's own part of the
 * path. (/var/log/pods itself may be a link that the administrator made.)
 */
async function openRegularFile(path: string): Promise<FileHandle> {
  const file = await open(path, FLAGS)
  try {
    if (!(await file.stat()).isFile()) throw new Error(`\`${path}\` is not a regular file`)
    const opened = await readlink(`/proc/self/fd/${file.fd}`)
    // a rotation may have renamed the file since, in the same directory
    if (ownDirectory(opened) !== ownDirectory(path)) {
      throw new Error(`\`${path}\` leads elsewhere, to \`${opened}\``)
    }
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

function ownDirectory(path: string): string {
  return path.split(sep).slice(-OWN_COMPONENTS, -1).join(sep)
}
