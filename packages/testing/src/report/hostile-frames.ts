import type { FuzzRandom } from './fuzz-random.ts'

/** Numbers that a reader may not have thought of. */
export const EXTREMES: readonly number[] = [
  0,
  1,
  8,
  0x7f,
  0xff,
  0xffff,
  0x7fffffff,
  0xffffffff,
  2 ** 32,
  2 ** 47,
  2 ** 53,
  2 ** 63,
  2 ** 64 - 2048,
]
/** Where a module's code begins, in its own numbering and in its file. */
export const TEXT_AT = 0x1000
export const TEXT_BYTES = 0x1000

/** Address of `.eh_frame` behind the code; tables point there. */
const FRAMES_AT = TEXT_AT + TEXT_BYTES

/** Any value, as 64 bits. */
export function put(bytes: Buffer, at: number, value: number): void {
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), at)
}

function leb(value: number): number[] {
  const bytes: number[] = []
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return [...bytes, left]
    bytes.push((left % 128) | 0x80)
  }
}

/** deref of the stack pointer, and the like; some never end, some need what is not there. */
function expression(random: FuzzRandom): number[] {
  const length = random.once(6) ? random.below(4000) : random.below(12)
  const some = Array.from({ length }, () =>
    random.pick([
      0x06,
      0x12,
      0x14,
      0x16,
      0x1c,
      0x1e,
      0x22,
      0x24,
      0x31,
      0x3f,
      0x77,
      random.below(256),
    ]),
  )
  return [0x77, ...leb(random.below(64)), ...(random.once(3) ? some : [0x06])]
}

function instructions(random: FuzzRandom): number[] {
  const made: number[] = []
  const count = random.once(12) ? 3000 : random.below(12)
  for (let index = 0; index < count; index++) {
    const rule = random.below(10)
    const block = rule > 7 ? expression(random) : []
    if (rule === 0) made.push(0x0a)
    else if (rule === 1) made.push(0x0b)
    else if (rule === 2) made.push(0x05, ...leb(random.below(140)), ...leb(random.below(300)))
    else if (rule === 3) made.push(0x0e, ...leb(random.pick([8, 16, 64, 4096, 500_000, 2 ** 40])))
    else if (rule === 4) made.push(0x80 | random.below(64), ...leb(random.below(9)))
    else if (rule === 5) made.push(0x40 | random.below(4))
    else if (rule === 6) made.push(0xc0 | random.below(64))
    else if (rule === 7) made.push(random.below(256))
    else if (rule === 8) made.push(0x0f, ...leb(block.length), ...block)
    else
      made.push(
        random.pick([0x10, 0x16]),
        ...leb(random.pick([3, 6, 7, 16])),
        ...leb(block.length),
        ...block,
      )
  }
  return made
}

export interface FrameTable {
  readonly bytes: Buffer
  readonly entries: readonly (readonly [start: number, at: number])[]
}

/** `.eh_frame` with any instructions; where its entries are. */
export function frameTable(random: FuzzRandom): FrameTable {
  const parts: Buffer[] = []
  const entries: [number, number][] = []
  let at = 0
  const add = (content: number[], second: number): void => {
    const padded = [...content, ...Array<number>((8 - ((content.length + 8) % 8)) % 8).fill(0)]
    const head = Buffer.alloc(8)
    head.writeUInt32LE(
      random.once(80) ? random.pick([0, 0xffffffff, 70_000]) : padded.length + 4,
      0,
    )
    head.writeUInt32LE(second, 4)
    parts.push(head, Buffer.from(padded))
    at += head.length + padded.length
  }
  const augmentation = random.pick(['zR', 'zR', 'zRS', 'zPLR', 'z', ''])
  const plain = [1, ...Buffer.from(`${augmentation}\0`), 1, 0x78, 16]
  // CFA is rsp+16 and the return address is below it
  const rules = random.once(4) ? instructions(random) : [0x0c, 7, 16, 0x90, 1]
  add([...plain, ...(augmentation.startsWith('z') ? [1, 0x1b] : []), ...rules], 0)
  const count = random.pick([1, 4, 4, 40, random.once(10) ? 20_000 : 4])
  for (let index = 0; index < count; index++) {
    const start = Math.floor((index * TEXT_BYTES) / count)
    const bytes = Buffer.alloc(8)
    bytes.writeInt32LE((TEXT_AT + start - (FRAMES_AT + at + 8)) | 0, 0)
    bytes.writeUInt32LE(
      random.once(20) ? random.pick([0, 0xffffffff]) : Math.ceil(TEXT_BYTES / count),
      4,
    )
    entries.push([TEXT_AT + start, FRAMES_AT + at])
    add([...bytes, 0, ...(count > 100 || random.once(2) ? [] : instructions(random))], at + 4)
  }
  return { bytes: Buffer.concat([...parts, Buffer.alloc(4)]), entries }
}

/** `.eh_frame_hdr`, behind `.eh_frame`; its addresses count from its own. */
export function searchTable(random: FuzzRandom, { bytes, entries }: FrameTable): Buffer {
  const at = FRAMES_AT + Math.ceil(bytes.length / 8) * 8
  const table = Buffer.alloc(12 + entries.length * 8)
  table.set([1, 0x1b, 0x03, random.once(20) ? random.below(256) : 0x3b])
  table.writeUInt32LE(
    random.once(10) ? random.pick([0, 0xffffffff, 0x7fffffff]) : entries.length,
    8,
  )
  entries.forEach(([start, entry], index) => {
    table.writeInt32LE((start - at) | 0, 12 + index * 8)
    table.writeInt32LE((entry - at) | 0, 16 + index * 8)
  })
  return table
}
