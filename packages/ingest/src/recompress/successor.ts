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
import { promisify } from 'node:util'
import { IngestError } from '../error.ts'
import { PartFile } from '../part-file/part-file.ts'
import { syncDirectoryOf } from '../part-file/publish.ts'
import type { ZipSink } from '../zip/sink.ts'
import { type Bounds, boundedSink } from './bounded-sink.ts'
import { assertExpands } from './assert-expands.ts'
import { type ArchiveEntry, readArchive } from './read-archive.ts'

const syncToDisk = promisify(fsync)

/** The file that replaces another, which is open as `oldFd` and had the status `found`. */
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

  /** Throws EEXIST where another process recompresses the same archive. */
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

  /** Reads the written file; throws `DAMAGED` unless it holds `entry`, byte for byte. */
  async verify({ name, record }: ArchiveEntry): Promise<void> {
    await syncToDisk(this.#fd)
    const { path, bytes } = this.#part
    const entries = await readArchive(this.#fd, bytes, path)
    const written = entries.find((entry) => entry.name === name)
    if (written === undefined) throw new Error(`\`${path}\` has no entry \`${name}\``)
    await assertExpands(this.#fd, written, record, path)
  }

  /** Replaces the old file, with its owner, mode and times; throws `CHANGED` unless that is unchanged. */
  async replaceOld(): Promise<void> {
    const { mode, uid, gid, atimeMs, mtimeMs } = this.#found
    const own = fstatSync(this.#fd, { bigint: true })
    if (own.uid !== uid || own.gid !== gid) fchownSync(this.#fd, Number(uid), Number(gid))
    fchmodSync(this.#fd, Number(mode) & 0o7777)
    futimesSync(this.#fd, Number(atimeMs) / 1000, Number(mtimeMs) / 1000)
    await syncToDisk(this.#fd)
    const { path, finalPath } = this.#part
    // only two system calls between the last check and the rename
    this.#assertUnchanged(finalPath)
    renameSync(path, finalPath)
    await this.#part.close()
    await syncDirectoryOf(finalPath)
  }

  #assertUnchanged(path: string): void {
    const now = fstatSync(this.#oldFd, { bigint: true })
    const named = lstatSync(path, { bigint: true, throwIfNoEntry: false })
    const keys = ['dev', 'ino', 'size', 'nlink', 'mtimeNs'] as const
    if (keys.every((key) => now[key] === this.#found[key] && named?.[key] === now[key])) return
    throw changed(path)
  }

  /** Removes a file that has not replaced the old one. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#part.discard()
  }
}

export function changed(path: string): IngestError {
  const message = `Cannot recompress \`${path}\`: it was changed, replaced or removed in the meantime`
  return new IngestError('CHANGED', path, message)
}
