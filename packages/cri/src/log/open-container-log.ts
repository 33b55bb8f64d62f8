import { type FileHandle, readdir, readlink } from 'node:fs/promises'
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
