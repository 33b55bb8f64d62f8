import { ByteCursor, DW_EH_PE, MalformedTable } from './byte-cursor.ts'

const MAX_CIE_BYTES = 4096
const MAX_FDE_BYTES = 65_536

/** Reads bytes of a module by an address in its own numbering. */
export type ReadTable = (vaddr: number, length: number) => Buffer

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

/** Bytes of the entry at this address with its length field; undefined of the terminator and of extended lengths. */
export function readEntry(read: ReadTable, vaddr: number, maxBytes: number): Buffer | undefined {
  // most entries are short: one read is enough
  const first = read(vaddr, 128)
  if (first.length < 8) return undefined
  const length = first.readUInt32LE(0)
  if (length < 4 || length + 4 > maxBytes) return undefined
  const entry = length + 4 <= first.length ? first.subarray(0, length + 4) : read(vaddr, length + 4)
  return entry.length === length + 4 ? entry : undefined
}

/** Undefined when the entry at this address is none that can be used. */
export function readFrameDescription(read: ReadTable, vaddr: number): FrameDescription | undefined {
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
