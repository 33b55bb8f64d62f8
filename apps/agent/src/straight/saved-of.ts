import type { OpenArchive, OpenArchiveEntry, SavedEntry, SavedZip } from '@core-dump-handler/ingest'

/** An archive of which only its headers are known, as salvage sees one. */
export function savedOf({ entries, open, position }: OpenArchive, dumpInfo: string): SavedZip {
  const saved = [
    ...entries.map((entry) => savedEntry(entry, true)),
    ...(open === undefined ? [] : [savedEntry(open, false)]),
  ]
  return {
    entries: saved,
    foundBytes: position,
    lostBytes: 0,
    read: async (name) => (name.endsWith('-dump-info.json') ? Buffer.from(dumpInfo) : undefined),
  }
}

function savedEntry(entry: OpenArchiveEntry, whole: boolean): SavedEntry {
  const { name, method, crc32, bytes, compressedBytes, offset } = entry
  return { name, method, crc32, bytes, compressedBytes, offset, whole, elf: { isElf: false } }
}
