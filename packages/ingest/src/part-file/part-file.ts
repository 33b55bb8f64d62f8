import { close, fsync, ftruncateSync, write, writeSync, writev, writevSync } from 'node:fs'
import { unlink, link, lstat, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { fromSystemError, IngestError, errorCode } from '../error.ts'
import type { ZipSink } from '../zip/sink.ts'
import { ThreadPool } from './thread-pool.ts'

const syncToDisk = promisify(fsync)
const closeFile = promisify(close)
// IOV_MAX: writev(2) takes no more
const MAX_VECTOR = 1024
// file systems without hard links: FAT, some FUSE and network ones
const NO_LINKS = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'])

/** A file under an unfinished name, which other programs leave alone, until it is published. */
export class PartFile implements Required<ZipSink> {
  readonly #pool: ThreadPool
  /** `<dir>/.<name>.part`, its unfinished name. */
  readonly path: string
  /** Its name once it is published. */
  readonly finalPath: string
  #fd: number | undefined
  #bytes = 0

  /** Internal: use `createPartFile`. */
  constructor(fd: number, path: string, finalPath: string, pool: ThreadPool = new ThreadPool()) {
    this.#pool = pool
    this.#fd = fd
    this.path = path
    this.finalPath = finalPath
  }

  /** Bytes written. */
  get bytes(): number {
    return this.#bytes
  }

  /** Appends `chunks`. Throws the error of write(2). */
  write(chunks: readonly Uint8Array[]): void {
    this.#bytes += appendFully(this.#open('write'), chunks, this.#bytes)
  }

  /** The same on libuv's thread pool; nothing else may be written meanwhile. */
  async writeOnPool(chunks: readonly Uint8Array[]): Promise<void> {
    const fd = this.#open('write')
    if (!(await this.#pool.answers())) return this.write(chunks)
    for (let at = 0; at < chunks.length; at += MAX_VECTOR) {
      let rest = chunks.length <= MAX_VECTOR ? chunks : chunks.slice(at, at + MAX_VECTOR)
      while (rest.length > 0) {
        const written = await writeVector(fd, rest, this.#bytes)
        this.#bytes += written
        rest = after(rest, written)
      }
    }
    this.#pool.hasAnswered()
  }

  /** Overwrites bytes already written, on libuv's thread pool where it answers. */
  async patch(bytes: Uint8Array, position: number): Promise<void> {
    const fd = this.#open('patch')
    if (!(await this.#pool.answers())) return overwriteFully(fd, bytes, position)
    for (let done = 0; done < bytes.length;) {
      done += await writeAt(fd, bytes.subarray(done), position + done)
    }
    this.#pool.hasAnswered()
  }

  /** Discards everything after the first `length` bytes. */
  truncate(length: number): void {
    ftruncateSync(this.#open('truncate'), length)
    this.#bytes = length
  }

  /**
   * Does an fsync, gives the file its final name (an existing file is never replaced: `EXISTS`) and
   * does an fsync of the directory. When it fails, the unfinished name stays: `discard` or try again.
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

  /** Removes the file; does nothing once it is published, discarded or closed. */
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

  /** Leaves the file under its unfinished name; does nothing once it is published or discarded. */
  async close(): Promise<void> {
    const fd = this.#fd
    if (fd === undefined) return
    this.#fd = undefined
    await closeFile(fd)
  }

  /** Discards a file that was not published. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.discard()
  }

  #open(verb: string): number {
    if (this.#fd !== undefined) return this.#fd
    throw new IngestError('CLOSED', this.path, `Cannot ${verb} \`${this.path}\`: it is closed`)
  }
}

/** Gives the file its final name, durably; throws EEXIST when a file has that name. */
async function publish(path: string, finalPath: string): Promise<void> {
  await moveWithoutOverwriting(path, finalPath)
  await syncDirectoryOf(finalPath)
}

/** Makes the name `path` durable: fsync(2) of its directory. */
async function syncDirectoryOf(path: string): Promise<void> {
  const directory = await open(dirname(path), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** link(2) refuses an existing name atomically; rename(2) replaces it, and Node has no renameat2. */
async function moveWithoutOverwriting(path: string, finalPath: string): Promise<void> {
  try {
    await link(path, finalPath)
  } catch (error) {
    if (!NO_LINKS.has(errorCode(error))) throw error
    await assertAbsent(finalPath)
    return rename(path, finalPath)
  }
  await unlink(path)
}

async function assertAbsent(path: string): Promise<void> {
  try {
    await lstat(path)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return
    throw error
  }
  throw Object.assign(new Error(`EEXIST: file already exists, rename to '${path}'`), {
    code: 'EEXIST',
  })
}

/** Writes all of `chunks` from `position` on, also after partial writes; returns their length. */
function appendFully(fd: number, chunks: readonly Uint8Array[], position: number): number {
  let done = 0
  for (let i = 0; i < chunks.length; i += MAX_VECTOR) {
    let rest = chunks.length <= MAX_VECTOR ? chunks : chunks.slice(i, i + MAX_VECTOR)
    while (rest.length > 0) {
      const written = writevSync(fd, rest, position + done)
      done += written
      rest = after(rest, written)
    }
  }
  return done
}

function writeVector(fd: number, chunks: readonly Uint8Array[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    writev(fd, chunks, position, (error, written) => {
      if (error) reject(error)
      else resolve(written)
    })
  })
}

function writeAt(fd: number, bytes: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, 0, bytes.length, position, (error, written) => {
      if (error) reject(error)
      else resolve(written)
    })
  })
}

function overwriteFully(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done)
  }
}

function after(chunks: readonly Uint8Array[], written: number): readonly Uint8Array[] {
  let left = written
  for (const [i, chunk] of chunks.entries()) {
    if (left < chunk.length) return [chunk.subarray(left), ...chunks.slice(i + 1)]
    left -= chunk.length
  }
  return []
}
