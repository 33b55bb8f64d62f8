import { close, fsync, ftruncateSync } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { promisify } from 'node:util'
import { fromSystemError, IngestError } from '../error.ts'
import type { ZipSink } from '../zip/sink.ts'
import { publish } from './publish.ts'
import { appendFully, overwriteFully } from './write-fully.ts'

const syncToDisk = promisify(fsync)
const closeFile = promisify(close)

/** A file written under a name that nobody else touches, until it is published whole. */
export class PartFile implements Required<ZipSink> {
  /** `<dir>/.<name>.part`, its name while it is written. */
  readonly path: string
  /** The name it gets by `publish`. */
  readonly finalPath: string
  #fd: number | undefined
  #bytes = 0

  /** Not called by users: `createPartFile` makes it. */
  constructor(fd: number, path: string, finalPath: string) {
    this.#fd = fd
    this.path = path
    this.finalPath = finalPath
  }

  /** Bytes written. */
  get bytes(): number {
    return this.#bytes
  }

  /** Appends `chunks`; in place when it returns. Throws what write(2) reports. */
  write(chunks: readonly Uint8Array[]): void {
    this.#bytes += appendFully(this.#open('write'), chunks, this.#bytes)
  }

  /** Overwrites bytes already written. */
  patch(bytes: Uint8Array, position: number): void {
    overwriteFully(this.#open('patch'), bytes, position)
  }

  /** Forgets everything after the first `length` bytes. */
  truncate(length: number): void {
    ftruncateSync(this.#open('truncate'), length)
    this.#bytes = length
  }

  /**
   * fsync, final name (an existing file is never replaced: `EXISTS`), fsync of the directory.
   * When it fails, the file still has its unfinished name: `discard` it or try again.
   */
  async publish(): Promise<void> {
    const fd = this.#open('publish')
    try {
      await syncToDisk(fd)
      await publish(this.path, this.finalPath)
    } catch (cause) {
      throw fromSystemError('publish', this.finalPath, cause)
    }
    this.#fd = undefined
    await closeFile(fd)
  }

  /** Removes it; does nothing once it is published or discarded. */
  async discard(): Promise<void> {
    const fd = this.#fd
    if (fd === undefined) return
    this.#fd = undefined
    try {
      await unlink(this.path)
    } catch (cause) {
      throw fromSystemError('remove', this.path, cause)
    } finally {
      await closeFile(fd)
    }
  }

  /** Leaves it under its unfinished name; does nothing once it is published or discarded. */
  async close(): Promise<void> {
    const fd = this.#fd
    if (fd === undefined) return
    this.#fd = undefined
    await closeFile(fd)
  }

  /** Left without `publish`, it is discarded. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.discard()
  }

  #open(verb: string): number {
    if (this.#fd !== undefined) return this.#fd
    throw new IngestError('CLOSED', this.path, `Cannot ${verb} \`${this.path}\`: it is closed`)
  }
}
