import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename } from 'node:path'
import { fromFileError, UploadError } from './error.ts'
import { show } from './text.ts'

// no symbolic link is followed, no FIFO waited for
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Unit of `st_blocks`, stat(2). */
const BLOCK_BYTES = 512

/** A regular file, opened once, whose changes since then are noticed. */
export interface FileSource extends AsyncDisposable {
  readonly path: string
  readonly size: number
  /** Bytes that it takes on the disk: fewer than `size` where ranges were freed. */
  readonly allocatedBytes: number
  /** Device and inode. */
  readonly inode: string
  /** Identifies this state of this file; kept as metadata of the object made from it. */
  readonly token: string
  /** Fill the first `length` bytes of `buffer` from `position`; rejects with `CHANGED` when the file is shorter. */
  read(buffer: Buffer, length: number, position: number): Promise<Buffer>
  /** Rejects with `CHANGED` when the file was written to since it was opened. */
  assertUnchanged(): Promise<void>
}

/** Inode, size and time of the last write: what changes when a file does. */
export function identity(stats: BigIntStats): string {
  return `${stats.ino}:${stats.size}:${stats.mtimeNs}`
}

/** `FileSource.token` of a file of this name. */
export function tokenOf(name: string, stats: BigIntStats): string {
  return createHash('sha256')
    .update(`${name}\0${identity(stats)}`)
    .digest('hex')
    .slice(0, 32)
}

/** Open a file that we are going to read; never a link, a FIFO or a device. */
export async function openForReading(
  path: string,
  { isWritten = false }: { readonly isWritten?: boolean } = {},
): Promise<FileHandle> {
  return open(path, isWritten ? FLAGS | constants.O_RDWR : FLAGS).catch((cause: unknown) => {
    throw fromFileError('source', 'open', path, cause)
  })
}

/** Use `handle` (left open), or open `path` (closed at disposal). */
export async function openSource(path: string, handle?: FileHandle): Promise<FileSource> {
  const file = handle ?? (await openForReading(path))
  const close = async (): Promise<void> => void (handle ?? (await file.close()))
  try {
    const stats = await file.stat({ bigint: true })
    if (!stats.isFile()) {
      throw new UploadError('UNREADABLE', `${show(path)} is not a regular file`, { subject: path })
    }
    const id = identity(stats)
    const changed = (how: string): UploadError =>
      new UploadError('CHANGED', `${show(path)} ${how} while it was sent; it is sent again`, {
        subject: path,
      })
    return {
      path,
      size: Number(stats.size),
      allocatedBytes: Number(stats.blocks) * BLOCK_BYTES,
      inode: `${stats.dev}:${stats.ino}`,
      token: tokenOf(basename(path), stats),
      async read(buffer, length, position) {
        for (let done = 0; done < length;) {
          const { bytesRead } = await file
            .read(buffer, done, length - done, position + done)
            .catch((cause: unknown) => {
              throw fromFileError('source', 'read', path, cause)
            })
          if (bytesRead === 0) throw changed('became shorter')
          done += bytesRead
        }
        return buffer.subarray(0, length)
      },
      async assertUnchanged() {
        if (identity(await file.stat({ bigint: true })) !== id) throw changed('was written to')
      },
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw fromFileError('source', 'open', path, error)
  }
}
