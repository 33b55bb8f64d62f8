import { zstdCompressSync } from 'node:zlib'
import { LAST_BLOCK, storedBlocks } from '../drain/encode/deflate-blocks.ts'
import type { ElfMeter } from '../elf/elf-meter.ts'
import { zipEntry } from '../zip/entry-writer.ts'
import { DEFLATE, SEE_ZIP64, STORED } from '../zip/fields.ts'
import { Plain } from './cut.ts'
import { cutterFor, expandWhole } from './expand-whole.ts'
import type { FileWindow } from './file-window.ts'
import { type LocalEntry, localEntryAt } from './local-entry.ts'
import type { SavedEntry } from './options.ts'

/** The usable entries at the beginning of a file. */
export interface Walk {
  readonly entries: readonly SavedEntry[]
  readonly locals: readonly LocalEntry[]
  /** Everything before it is used. */
  readonly end: number
  /** What ends the data of the last entry, where that is incomplete. */
  readonly closing?: readonly Uint8Array[]
}

/** Goes from one local header to the next and expands each entry; stops at the first incomplete one. */
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

/** A small entry is written at once: its beginning alone is of no use. */
function isStreamed({ ended, zip64At }: LocalEntry): boolean {
  return zip64At !== undefined || !ended
}

async function cutEntry(
  local: LocalEntry,
  window: FileWindow,
): Promise<(Required<Pick<Walk, 'closing' | 'end'>> & { saved: SavedEntry }) | undefined> {
  const { record, dataAt, zip64At } = local
  const plain = new Plain()
  const { end, ended, tail } = await cutterFor(record.method)(window, dataAt, plain)
  plain.push(tail)
  const closing = ended ? [] : closingOf(record.method, tail)
  const tooLong = zip64At === undefined && Math.max(plain.bytes, window.end) > SEE_ZIP64
  if (plain.bytes === 0 || tooLong) return undefined
  record.bytes = plain.bytes
  record.crc32 = plain.crc32
  record.compressedBytes = closing.reduce((sum, chunk) => sum + chunk.length, end - dataAt)
  return { end, closing, saved: savedEntry(local, plain.elf, false) }
}

/** Data that follows a boundary: `tail`, encoded again, and the end of the stream. */
function closingOf(method: number, tail: Buffer): readonly Uint8Array[] {
  if (method === STORED) return [tail]
  if (method === DEFLATE) return [...storedBlocks(tail), LAST_BLOCK]
  const empty = zstdCompressSync(Buffer.alloc(0))
  return tail.length > 0 ? [zstdCompressSync(tail), empty] : [empty]
}

function savedEntry({ name, record }: LocalEntry, elf: ElfMeter, whole: boolean): SavedEntry {
  return { ...zipEntry(name, record), whole, elf: elf.facts() }
}
