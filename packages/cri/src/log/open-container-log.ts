import { type FileHandle, readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { openRegularFile } from './open-regular-file.ts'
import { type LogTail, readTail } from './read-tail.ts'

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
}

/**
 * Open the CRI log file at `path` and, where the kubelet has rotated it, the one before it. Only
 * regular files are opened, and no symbolic link within the pod's log directory is followed.
 * Rejects with a system error, `ENOENT` where there is no log.
 */
export async function openContainerLog(
  path: string,
  { maxBytes = 1 << 20 }: LogOptions = {},
): Promise<ContainerLog> {
  // in this order: a rotation in between shows one file twice and misses none
  const current = await openRegularFile(path).catch((error: unknown) => error)
  const rotated = await openRotated(path)
  if (!isFile(current) && rotated === undefined) throw current
  const files = [rotated, current].filter((file) => isFile(file))

  /** The files open so far, and the one that a rotation has begun since. */
  async function sequence(): Promise<readonly FileHandle[]> {
    const latest = await openRegularFile(path).catch(() => undefined)
    if (latest !== undefined) files.push(latest)
    const inodes = await Promise.all(files.map(async (file) => (await file.stat()).ino))
    return files.filter((_, index) => inodes.indexOf(inodes[index] ?? 0) === index)
  }

  return {
    tail: async (lines) => readTail(await sequence(), lines, maxBytes),
    close: async () => {
      await Promise.all(files.splice(0).map((file) => file.close()))
    },
  }
}

async function openRotated(path: string): Promise<FileHandle | undefined> {
  const rotated = await lastRotated(path)
  return rotated === undefined ? undefined : openRegularFile(rotated).catch(() => undefined)
}

function isFile(file: unknown): file is FileHandle {
  return typeof file === 'object' && file !== null && 'fd' in file
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
