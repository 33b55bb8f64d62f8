import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { IngestError } from '../error.ts'
import type { PartFile } from '../part-file/part-file.ts'
import type { ZipSink } from '../zip/sink.ts'

/** Thrown while writing: the archive would not become small enough. */
export class NotSmaller extends Error {}

/** Whether that is what an error, or what caused it, says. */
export function isNotSmaller(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) if (e instanceof NotSmaller) return true
  return false
}

const LOOK_EVERY_BYTES = 4 * 1024 * 1024

export interface Bounds {
  /** The archive may become so long. */
  readonly maxBytes: number
  /** So much stays free for others. */
  readonly minFreeBytes: number
}

/**
 * Writes into `part` as long as it stays within the bounds. Cannot be truncated: a beginning of an
 * entry, which others keep where a disk is full, is of no use here.
 */
export function boundedSink(part: PartFile, { maxBytes, minFreeBytes }: Bounds): ZipSink {
  let lookAt = LOOK_EVERY_BYTES
  return {
    write(chunks) {
      part.write(chunks)
      if (part.bytes > maxBytes) throw new NotSmaller('It does not become small enough')
      if (part.bytes < lookAt) return
      lookAt = part.bytes + LOOK_EVERY_BYTES
      assertRoom(part.path, LOOK_EVERY_BYTES, minFreeBytes)
    },
    patch: (bytes, position) => part.patch(bytes, position),
  }
}

/** Throws `NO_SPACE` unless `bytes` more can be written beside `path` and `minFreeBytes` stay. */
export function assertRoom(path: string, bytes: number, minFreeBytes: number): void {
  const { bavail, bsize } = statfsSync(dirname(path))
  const free = bavail * bsize
  if (free >= bytes + minFreeBytes) return
  const message = `Cannot write \`${path}\` of ${bytes} bytes: ${free} are free, ${minFreeBytes} of them for others`
  throw new IngestError('NO_SPACE', path, message)
}
