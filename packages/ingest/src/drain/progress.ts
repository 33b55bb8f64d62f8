import type { ElfMeter } from '../elf/elf-meter.ts'
import type { ZipEntryWriter } from '../zip/entry-writer.ts'
import type { DrainProgress } from './options.ts'

const INTERVAL_MS = 100

/** Passes progress on, at most ten times a second. */
export function progressReporter(
  onProgress: ((progress: DrainProgress) => void) | undefined,
  entry: ZipEntryWriter,
): (bytes: number, elf: ElfMeter) => void {
  if (onProgress === undefined) return () => {}
  let next = 0
  return (bytes, elf) => {
    const now = performance.now()
    if (now < next) return
    next = now + INTERVAL_MS
    const { expectedBytes } = elf.facts()
    const storedBytes = entry.compressedBytes
    onProgress({ bytes, storedBytes, ...(expectedBytes !== undefined && { expectedBytes }) })
  }
}
