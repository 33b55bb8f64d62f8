import { read, closeSync, constants, fstatSync, openSync } from 'node:fs'
import { promisify } from 'node:util'
import type { SalvageOptions } from './options.ts'
import { errorCode, IngestError } from '../error.ts'

const readFrom = promisify(read)

const { O_NOFOLLOW, O_NONBLOCK } = constants

const WINDOW_BYTES = 1024 * 1024
const PROGRESS_BYTES = 1024 * 1024

/** A file seen through one buffer; reads only what is not in it. */
export class FileWindow {
  readonly fd: number
  /** End of the readable part of the file. */
  readonly end: number
  /** To be awaited with the number of bytes that were worked on. */
  readonly pace: Pace
  readonly #buffer: Buffer
  #start = 0
  #length = 0

  /** Nothing before `start` is read. */
  constructor(fd: number, start: number, end: number, pace: Pace) {
    this.fd = fd
    this.end = end
    this.pace = pace
    this.#buffer = Buffer.allocUnsafe(Math.max(0, Math.min(WINDOW_BYTES, end - start)))
  }

  /** Up to `length` bytes from `position`, fewer at the end; valid until the next call. */
  async bytes(position: number, length: number = WINDOW_BYTES / 2): Promise<Buffer> {
    const wanted = Math.max(0, Math.min(length, this.end - position))
    const from = position - this.#start
    if (from < 0 || from + wanted > this.#length) {
      await this.#fill(position)
      return this.#buffer.subarray(0, Math.min(wanted, this.#length))
    }
    return this.#buffer.subarray(from, from + wanted)
  }

  async #fill(position: number): Promise<void> {
    this.#start = position
    this.#length = 0
    const wanted = Math.min(this.#buffer.length, this.end - position)
    while (this.#length < wanted) {
      const { bytesRead } = await readFrom(
        this.fd,
        this.#buffer,
        this.#length,
        wanted - this.#length,
        position + this.#length,
      )
      if (bytesRead === 0) return
      this.#length += bytesRead
    }
  }
}

/** Reports bytes that were worked on; throws once the signal is aborted. */
type Pace = (bytes: number) => Promise<void>

/** Calls `onProgress` once for each MiB. */
export function paceOf({
  onProgress,
  signal,
}: Pick<SalvageOptions, 'onProgress' | 'signal'>): Pace {
  let bytes = 0
  let reported = 0
  return async (more) => {
    signal?.throwIfAborted()
    bytes += more
    if (bytes < reported + PROGRESS_BYTES) return
    reported = bytes
    await onProgress?.({ bytes })
  }
}

/** Opens an existing file, following no link and waiting for no pipe; `verb` is for the error. */
export function openRegularFile(path: string, access: number, verb: string): number {
  const fd = openWithoutFollowing(path, access, verb)
  if (fstatSync(fd).isFile()) return fd
  closeSync(fd)
  throw notAFile(path, verb, 'it is not a regular file')
}

export function notAFile(path: string, verb: string, why: string): IngestError {
  return new IngestError('NOT_A_FILE', path, `Cannot ${verb} \`${path}\`: ${why}`)
}

function openWithoutFollowing(path: string, access: number, verb: string): number {
  try {
    return openSync(path, access | O_NOFOLLOW | O_NONBLOCK)
  } catch (error) {
    // what O_NOFOLLOW answers, open(2)
    if (errorCode(error) === 'ELOOP') throw notAFile(path, verb, 'it is a symbolic link')
    throw error
  }
}
