import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { IngestError } from '../error.ts'
import type { PartFile } from '../part-file/part-file.ts'
import type { ZipSink } from '../zip/sink.ts'

/** Thrown while writing an archive that does not become small enough. */
export class NotSmaller extends Error {}

/** Whether the error or one of its causes is `NotSmaller`. */
export function isNotSmaller(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) if (e instanceof NotSmaller) return true
  return false
}

const CHECK_EVERY_BYTES = 4 * 1024 * 1024

export interface Bounds {
  /** Maximum length of the archive. */
  readonly maxBytes: number
  /** Free space left to other programs. */
  readonly minFreeBytes: number
}

/**
 * Writes into `part` within the bounds. Cannot be truncated: the beginning of an entry, which `drain`
 * keeps on a full disk, is of no use here.
 */
export function boundedSink(part: PartFile, { maxBytes, minFreeBytes }: Bounds): ZipSink {
  let nextCheck = CHECK_EVERY_BYTES
  return {
    write(chunks) {
      part.write(chunks)
      if (part.bytes > maxBytes) throw new NotSmaller('It does not become small enough')
      if (part.bytes < nextCheck) return
      nextCheck = part.bytes + CHECK_EVERY_BYTES
      assertRoom(part.path, CHECK_EVERY_BYTES, minFreeBytes)
    },
    patch: (bytes, position) => part.patch(bytes, position),
  }
}

/** Throws `NO_SPACE` unless `bytes` more can be written beside `path` and `minFreeBytes` stay. */
export function assertRoom(path: string, bytes: number, minFreeBytes: number): void {
  const { bavail, bsize } = statfsSync(dirname(path))
  const free = bavail * bsize
  if (free >= bytes + minFreeBytes) return
  const message = `Cannot write \`${path}\` of ${bytes} bytes: ${free} are free, of which ${minFreeBytes} must stay free`
  throw new IngestError('NO_SPACE', path, message)
}
