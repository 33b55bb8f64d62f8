import { type FileHandle, readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { openRegularFile } from './open-regular-file.ts'
import { type LogTail, tailOf } from './read-tail.ts'

/** A container's log, opened while it is there; read when there is time. */
export interface ContainerLog {
  /**
   * The last lines, of both streams in the order of the file, each ended by a newline; partial
   * records joined. Rejects with an `Error` that says why nothing could be read.
   */
  tail(lines: number): Promise<LogTail>
  close(): Promise<void>
}

export interface LogOptions {
  /**
   * Bytes read of the log at most.
   * @default 1048576
   */
  readonly maxBytes?: number
}

/**
 * Open the CRI log file at `path` and, where the kubelet has rotated it, the one before it. Only
 * regular files are opened, and no symbolic link of the pod's is followed to them. Rejects with a
 * system error, `ENOENT` when the log is not there (any more).
 */
export async function openContainerLog(
  path: string,
  { maxBytes = 1 << 20 }: LogOptions = {},
): Promise<ContainerLog> {
  // in this order: a rotation in between makes one file appear twice, and none be missed
  const current = await openRegularFile(path).catch((error: unknown) => error)
  const before = await openRotated(path)
  if (!isFile(current) && before === undefined) throw current
  const files = [before, current].filter((file) => isFile(file))

  /** All that is to be read now: what was open, and what a rotation since then has begun. */
  async function sequence(): Promise<readonly FileHandle[]> {
    const latest = await openRegularFile(path).catch(() => undefined)
    if (latest !== undefined) files.push(latest)
    const inodes = await Promise.all(files.map(async (file) => (await file.stat()).ino))
    return files.filter((_, index) => inodes.indexOf(inodes[index] ?? 0) === index)
  }

  return {
    tail: async (lines) => tailOf(await sequence(), lines, maxBytes),
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
