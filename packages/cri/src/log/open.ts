import type { FileHandle } from 'node:fs/promises'
import type { ContainerLog } from './container-log.ts'
import { openRegularFile } from './open-regular-file.ts'
import { lastRotated } from './rotated.ts'
import { tailOf } from './tail.ts'

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
