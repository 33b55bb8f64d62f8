import type { ElfFile } from '../elf/elf-file.ts'
import type { Budget } from './budget.ts'
import { ByteCursor, DW_EH_PE, MalformedTable } from './byte-cursor.ts'

/** DW_EH_PE_datarel | DW_EH_PE_sdata4: the only encoding of the search table in use. */
const TABLE_ENCODING = 0x3b
const LINEAR_ENTRIES = 64
const MAX_SCANNED_ENTRIES = 65_536
const MAX_SCANNED_BYTES = 16 * 1024 * 1024
const PIECE_BYTES = 65_536
const MAX_CIE_BYTES = 4096
const MIN_FDE_BYTES = 16
const MAX_FDE_BYTES = 65_536

/** Finds the frame description of an address in one module. */
export interface FrameIndex {
  find(vaddr: number, budget: Budget): FrameDescription | undefined
}

/** How one function is unwound: a frame description entry with its common information entry. */
export interface FrameDescription {
  /** First address, in the module's numbering, and the one behind the last. */
  readonly start: number
  readonly end: number
  readonly codeAlignment: number
  readonly dataAlignment: number
  readonly returnAddressRegister: number
  /** The caller was interrupted, not calling. */
  readonly isSignalFrame: boolean
  /** Of DW_CFA_set_loc. */
  readonly pointerEncoding: number
  readonly initialInstructions: Buffer
  readonly instructions: Buffer
  /** Address of `instructions`. */
  readonly instructionsAt: number
}

/** Reads bytes of a module by an address in its own numbering. */
type ReadTable = (vaddr: number, length: number) => Buffer

/** By `.eh_frame_hdr`, else by reading all of `.eh_frame`: static programs of glibc have no header. */
export function createFrameIndex(elf: ElfFile): FrameIndex {
  const read: ReadTable = (vaddr, length) => {
    const offset = elf.offsetOf(vaddr)
    return elf.source.read(offset ?? -1, length)
  }
  const header = elf.ehFrameHeader
  const table = header && readSearchTable(elf, header.offset, header.vaddr)
  let scanned: ScannedIndex | undefined
  return {
    find(vaddr, budget) {
      if (table) return check(readFrameDescription(read, table(vaddr, budget) ?? -1), vaddr)
      scanned ??= scanFrames(elf, read, budget)
      return check(readFrameDescription(read, scanned.find(vaddr) ?? -1), vaddr)
    },
  }
}

function check(found: FrameDescription | undefined, vaddr: number): FrameDescription | undefined {
  return found !== undefined && vaddr >= found.start && vaddr < found.end ? found : undefined
}

type Search = (vaddr: number, budget: Budget) => number | undefined

/** The binary search table; undefined when there is none in the known form. */
function readSearchTable(elf: ElfFile, offset: number, vaddr: number): Search | undefined {
  const head = elf.source.read(offset, 32)
  if (head.length < 12 || head[0] !== 1 || head[3] !== TABLE_ENCODING) return undefined
  const cursor = new ByteCursor(head, 4)
  let count = 0
  try {
    cursor.pointer(head[1] ?? DW_EH_PE.OMIT, 0)
    count = cursor.pointer(head[2] ?? DW_EH_PE.OMIT, 0)
  } catch {
    return undefined
  }
  const tableAt = offset + cursor.at
  if (count === 0 || tableAt + count * 8 > elf.source.size) return undefined
  const startOf = (index: number): number => {
    const entry = elf.source.read(tableAt + index * 8, 4)
    return entry.length < 4 ? NaN : vaddr + entry.readInt32LE(0)
  }
  return (wanted, budget) => {
    let low = 0
    let high = count
    while (high - low > LINEAR_ENTRIES) {
      if (!budget.spend(1)) return undefined
      const middle = Math.floor((low + high) / 2)
      if (startOf(middle) <= wanted) low = middle
      else high = middle
    }
    const block = elf.source.read(tableAt + low * 8, (high - low) * 8)
    let found: number | undefined
    for (let at = 0; at + 8 <= block.length; at += 8) {
      if (vaddr + block.readInt32LE(at) > wanted) break
      found = vaddr + block.readInt32LE(at + 4)
    }
    return found
  }
}

interface ScannedIndex {
  find(vaddr: number): number | undefined
}

/** All entries of `.eh_frame`, sorted by their first address. */
function scanFrames(elf: ElfFile, read: ReadTable, budget: Budget): ScannedIndex {
  const section = elf.section('.eh_frame')
  const capacity = Math.min(MAX_SCANNED_ENTRIES, Math.ceil((section?.size ?? 0) / MIN_FDE_BYTES))
  // numbers only: a static program has thousands
  const starts = new Float64Array(capacity)
  const places = new Float64Array(capacity)
  let count = 0
  const end = section ? section.addr + Math.min(section.size, MAX_SCANNED_BYTES) : 0
  let piece: { start: number; bytes: Buffer } = { start: 0, bytes: Buffer.alloc(0) }
  // pieces of the section, so that an entry costs no read of its own
  const readPiece: ReadTable = (vaddr, length) => {
    const offset = vaddr - piece.start
    if (offset >= 0 && offset + length <= piece.bytes.length) {
      return piece.bytes.subarray(offset, offset + length)
    }
    if (length > PIECE_BYTES / 2 || offset < 0) return read(vaddr, length)
    piece = { start: vaddr, bytes: read(vaddr, PIECE_BYTES) }
    return piece.bytes.subarray(0, length)
  }
  for (let at = section?.addr ?? 0; at + 8 <= end && count < capacity;) {
    if (!budget.spend(2)) break
    const head = readPiece(at, 8)
    if (head.length < 8) break
    const length = head.readUInt32LE(0)
    // a length of 0 ends the section, or the part of it that one object file had
    if (length === 0xffffffff) break
    if (length !== 0 && head.readUInt32LE(4) !== 0) {
      const description = readFrameDescription(readPiece, at)
      if (description && description.start > 0) {
        starts[count] = description.start
        places[count++] = at
      }
    }
    at += 4 + length
  }
  const order = Uint32Array.from({ length: count }, (_, index) => index)
  order.sort((a, b) => (starts[a] ?? 0) - (starts[b] ?? 0))
  return {
    find(vaddr) {
      let low = 0
      let high = count
      while (low < high) {
        const middle = (low + high) >>> 1
        if ((starts[order[middle] ?? 0] ?? 0) <= vaddr) low = middle + 1
        else high = middle
      }
      return low === 0 ? undefined : places[order[low - 1] ?? 0]
    },
  }
}

/** Bytes of the entry at this address with its length field; undefined of the terminator and of extended lengths. */
function readEntry(read: ReadTable, vaddr: number, maxBytes: number): Buffer | undefined {
  // most entries are short: one read is enough
  const first = read(vaddr, 128)
  if (first.length < 8) return undefined
  const length = first.readUInt32LE(0)
  if (length < 4 || length + 4 > maxBytes) return undefined
  const entry = length + 4 <= first.length ? first.subarray(0, length + 4) : read(vaddr, length + 4)
  return entry.length === length + 4 ? entry : undefined
}

/** Undefined when the entry at this address is none that can be used. */
function readFrameDescription(read: ReadTable, vaddr: number): FrameDescription | undefined {
  const entry = readEntry(read, vaddr, MAX_FDE_BYTES)
  const distance = entry?.readUInt32LE(4) ?? 0
  if (entry === undefined || distance === 0) return undefined
  const common = readEntry(read, vaddr + 4 - distance, MAX_CIE_BYTES)
  if (common === undefined || common.readUInt32LE(4) !== 0) return undefined
  try {
    return parse(entry, vaddr, parseCommon(common))
  } catch (error) {
    if (error instanceof MalformedTable) return undefined
    throw error
  }
}

interface Common extends Omit<
  FrameDescription,
  'start' | 'end' | 'instructions' | 'instructionsAt'
> {
  readonly hasAugmentationData: boolean
}

function parseCommon(entry: Buffer): Common {
  const cursor = new ByteCursor(entry, 8)
  const version = cursor.u8()
  if (version !== 1 && version !== 3 && version !== 4) throw new MalformedTable('CIE version')
  const end = entry.indexOf(0, cursor.at)
  if (end < 0) throw new MalformedTable('the augmentation of a CIE has no end')
  const augmentation = entry.toString('latin1', cursor.at, end)
  cursor.at = end + 1
  if (version === 4) cursor.at += 2
  const codeAlignment = cursor.uleb()
  const dataAlignment = cursor.sleb()
  const returnAddressRegister = version === 1 ? cursor.u8() : cursor.uleb()
  let pointerEncoding = 0
  let isSignalFrame = false
  const hasAugmentationData = augmentation.startsWith('z')
  if (augmentation !== '' && !hasAugmentationData) throw new MalformedTable('CIE augmentation')
  if (hasAugmentationData) {
    const next = cursor.uleb()
    const instructionsAt = cursor.at + next
    for (const letter of augmentation.slice(1)) {
      if (letter === 'R') pointerEncoding = cursor.u8()
      else if (letter === 'L') cursor.u8()
      else if (letter === 'S') isSignalFrame = true
      else if (letter === 'P') cursor.pointer(cursor.u8() & DW_EH_PE.FORMAT, 0)
      // B: the return address is signed with key B; it is taken off by its mask
      else if (letter !== 'B') break
    }
    cursor.at = instructionsAt
  }
  return {
    codeAlignment,
    dataAlignment,
    returnAddressRegister,
    isSignalFrame,
    pointerEncoding,
    hasAugmentationData,
    initialInstructions: entry.subarray(cursor.at),
  }
}

function parse(entry: Buffer, vaddr: number, common: Common): FrameDescription {
  const { hasAugmentationData, ...rest } = common
  const cursor = new ByteCursor(entry, 8)
  const start = cursor.pointer(common.pointerEncoding, vaddr + 8)
  const length = cursor.pointer(common.pointerEncoding & DW_EH_PE.FORMAT, 0)
  if (hasAugmentationData) {
    const bytes = cursor.uleb()
    cursor.at += bytes
  }
  return {
    ...rest,
    start,
    end: start + length,
    instructions: entry.subarray(cursor.at),
    instructionsAt: vaddr + cursor.at,
  }
}
