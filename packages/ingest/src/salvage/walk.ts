import type { ElfMeter } from '../elf/elf-meter.ts'
import { zipEntry } from '../zip/entry-writer.ts'
import { cutDeflate } from './cut-deflate.ts'
import { cutStored } from './cut-stored.ts'
import { cutZstd } from './cut-zstd.ts'
import { endOf } from './end-of.ts'
import { expandWhole } from './expand-whole.ts'
import type { FileWindow } from './file-window.ts'
import { type LocalEntry, localEntryAt } from './local-entry.ts'
import type { SavedEntry } from './options.ts'
import { Plain } from './plain.ts'

/** What the local headers of a file tell, and how far. */
export interface Walk {
  readonly entries: readonly SavedEntry[]
  readonly locals: readonly LocalEntry[]
  /** Everything before it is used. */
  readonly end: number
  /** What ends the data of the last entry, when that was cut. */
  readonly closing?: readonly Uint8Array[]
}

const MAX_32 = 0xffffffff

/** From one local header to the next, each entry's data expanded; stops at the first that is not whole. */
export async function walk(window: FileWindow): Promise<Walk> {
  const entries: SavedEntry[] = []
  const locals: LocalEntry[] = []
  const names = new Set<string>()
  for (let end = 0; ;) {
    const local = await localEntryAt(window, end)
    if (local === undefined || names.has(local.name)) return { entries, locals, end }
    names.add(local.name)
    const plain = local.ended ? await expandWhole(local, window) : undefined
    if (plain === undefined) {
      const last = isStreamed(local) ? await cutEntry(local, window) : undefined
      if (last === undefined) return { entries, locals, end }
      const { saved, ...cut } = last
      return { entries: [...entries, saved], locals: [...locals, local], ...cut }
    }
    locals.push(local)
    entries.push(savedEntry(local, plain.elf, true))
    end = local.dataAt + local.record.compressedBytes
  }
}

/** A small entry, which is written in one go, is of no use by halves. */
function isStreamed({ ended, zip64At }: LocalEntry): boolean {
  return zip64At !== undefined || !ended
}

async function cutEntry(
  local: LocalEntry,
  window: FileWindow,
): Promise<(Required<Pick<Walk, 'closing' | 'end'>> & { saved: SavedEntry }) | undefined> {
  const { record, dataAt, zip64At } = local
  const plain = new Plain()
  const cutter = record.method === 8 ? cutDeflate : record.method === 93 ? cutZstd : cutStored
  const { end, ended, tail } = await cutter(window, dataAt, plain)
  plain.push(tail)
  const closing = ended ? [] : endOf(record.method, tail)
  const tooLong = zip64At === undefined && Math.max(plain.bytes, window.end) > MAX_32
  if (plain.bytes === 0 || tooLong) return undefined
  record.bytes = plain.bytes
  record.crc32 = plain.crc32
  record.compressedBytes = closing.reduce((sum, chunk) => sum + chunk.length, end - dataAt)
  return { end, closing, saved: savedEntry(local, plain.elf, false) }
}

function savedEntry({ name, record }: LocalEntry, elf: ElfMeter, whole: boolean): SavedEntry {
  return { ...zipEntry(name, record), whole, elf: elf.facts() }
}
