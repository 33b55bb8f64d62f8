import {
  type BigIntStats,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsync,
  futimesSync,
  lstatSync,
  openSync,
  renameSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { IngestError } from '../error.ts'
import { PartFile } from '../part-file/part-file.ts'
import type { ZipSink } from '../zip/sink.ts'
import { type Bounds, boundedSink } from './bounded-sink.ts'
import { assertExpands } from './assert-expands.ts'
import { type ArchiveEntry, readArchive } from './read-archive.ts'

const syncToDisk = promisify(fsync)

/** A file that is to take the place of another, which is open at `oldFd` and was `found` so. */
export class Successor {
  readonly #part: PartFile
  readonly #fd: number
  readonly #oldFd: number
  readonly #found: BigIntStats

  private constructor(part: PartFile, fd: number, oldFd: number, found: BigIntStats) {
    this.#part = part
    this.#fd = fd
    this.#oldFd = oldFd
    this.#found = found
  }

  /** Throws EEXIST where somebody else is at it. */
  static create(beside: string, path: string, oldFd: number, found: BigIntStats): Successor {
    const fd = openSync(beside, 'wx+', 0o600)
    return new Successor(new PartFile(fd, beside, path), fd, oldFd, found)
  }

  get bytes(): number {
    return this.#part.bytes
  }

  sink(bounds: Bounds): ZipSink {
    return boundedSink(this.#part, bounds)
  }

  /** Reads back what is on the disk now; throws `DAMAGED` unless `entry` is there, byte for byte. */
  async prove({ name, record }: ArchiveEntry): Promise<void> {
    await syncToDisk(this.#fd)
    const { path, bytes } = this.#part
    const entries = await readArchive(this.#fd, bytes, path)
    const written = entries.find((entry) => entry.name === name)
    if (written === undefined) throw new Error(`\`${path}\` has no entry \`${name}\``)
    await assertExpands(this.#fd, written, record, path)
  }

  /** With owner, mode and times of the old one, if that is what it was; else throws `CHANGED`. */
  async takePlace(): Promise<void> {
    const { mode, uid, gid, atimeMs, mtimeMs } = this.#found
    const own = fstatSync(this.#fd, { bigint: true })
    if (own.uid !== uid || own.gid !== gid) fchownSync(this.#fd, Number(uid), Number(gid))
    fchmodSync(this.#fd, Number(mode) & 0o7777)
    futimesSync(this.#fd, Number(atimeMs) / 1000, Number(mtimeMs) / 1000)
    await syncToDisk(this.#fd)
    const { path, finalPath } = this.#part
    // no moment between the last look and the rename but that of two system calls
    this.#assertUnchanged(finalPath)
    renameSync(path, finalPath)
    await this.#part.close()
    const directory = await open(dirname(finalPath), 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  }

  #assertUnchanged(path: string): void {
    const now = fstatSync(this.#oldFd, { bigint: true })
    const named = lstatSync(path, { bigint: true, throwIfNoEntry: false })
    const keys = ['dev', 'ino', 'size', 'nlink', 'mtimeNs'] as const
    if (keys.every((key) => now[key] === this.#found[key] && named?.[key] === now[key])) return
    throw changed(path)
  }

  /** One that has not taken the place is removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#part.discard()
  }
}

export function changed(path: string): IngestError {
  const message = `Cannot compress \`${path}\` anew: it was changed, replaced or removed meanwhile`
  return new IngestError('CHANGED', path, message)
}
