import type { FuzzRandom } from './fuzz-random.ts'
import { EXTREMES, frameTable, put, searchTable, TEXT_AT, TEXT_BYTES } from './hostile-frames.ts'

const SECTION_BYTES = 64
const SEGMENT_BYTES = 56
interface Section {
  readonly name: string
  readonly bytes: Buffer
  readonly link?: string
}

/** The file of a module whose every table may say anything; it begins with sound headers most of the time. */
export function hostileModule(random: FuzzRandom): Buffer {
  const hasSearchTable = random.once(2)
  const frames = frameTable(random)
  const names = nameTable(random)
  const sections: Section[] = [
    { name: '', bytes: Buffer.alloc(0) },
    { name: '.text', bytes: code(random) },
    { name: '.eh_frame', bytes: frames.bytes },
    { name: '.eh_frame_hdr', bytes: searchTable(random, frames) },
    { name: '.dynamic', bytes: dynamic(random) },
    { name: random.pick(['.symtab', '.dynsym']), bytes: symbols(random, names), link: '.strtab' },
    { name: '.strtab', bytes: names },
    { name: '.gopclntab', bytes: goTable(random) },
    ...(random.once(8) ? manySections(random) : []),
    { name: '.note.gnu.build-id', bytes: buildIdNote(random) },
  ]
  const order = random.once(4)
    ? sections
    : [...sections, { name: '.shstrtab', bytes: Buffer.alloc(0) }]
  return laidOut(random, order, hasSearchTable)
}

function laidOut(
  random: FuzzRandom,
  sections: readonly Section[],
  hasSearchTable: boolean,
): Buffer {
  const namesOf = Buffer.from(sections.map(({ name }) => `${name}\0`).join(''))
  const parts: Buffer[] = [Buffer.alloc(TEXT_AT)]
  const places = new Map<string, { at: number; length: number }>()
  let at = TEXT_AT
  for (const { name, bytes } of sections) {
    const content = name === '.shstrtab' ? namesOf : bytes
    const padding = (8 - (content.length % 8)) % 8
    places.set(name, { at, length: content.length })
    parts.push(content, Buffer.alloc(padding))
    at += content.length + padding
  }
  const table = Buffer.alloc(sections.length * SECTION_BYTES)
  let nameAt = 0
  sections.forEach(({ name, link }, index) => {
    const to = index * SECTION_BYTES
    const place = places.get(name) ?? { at: 0, length: 0 }
    table.writeUInt32LE(nameAt, to)
    table.writeUInt32LE(1, to + 4)
    put(table, to + 16, place.at)
    put(table, to + 24, place.at)
    put(table, to + 32, random.once(60) ? random.pick(EXTREMES) : place.length)
    const linked = sections.findIndex((section) => section.name === link)
    table.writeUInt32LE(Math.max(0, linked), to + 40)
    nameAt += name.length + 1
  })
  const elf = Buffer.concat([...parts, table])
  const segments: [type: number, at: number, length: number][] = [
    [1, 0, at],
    [2, ...placeOf(places, '.dynamic')],
    [4, ...placeOf(places, '.note.gnu.build-id')],
    ...(hasSearchTable
      ? [[0x6474e550, ...placeOf(places, '.eh_frame_hdr')] satisfies [number, number, number]]
      : []),
  ]
  header(elf, { shoff: at, shnum: sections.length, phnum: segments.length })
  segments.forEach(([type, offset, length], index) => {
    const to = 64 + index * SEGMENT_BYTES
    elf.writeUInt32LE(type, to)
    elf.writeUInt32LE(5, to + 4)
    for (const field of [8, 16, 24]) put(elf, to + field, offset)
    for (const field of [32, 40]) put(elf, to + field, length)
    if (random.once(30)) put(elf, to + 8 * (1 + random.below(5)), random.pick(EXTREMES))
  })
  return elf
}

function placeOf(
  places: ReadonlyMap<string, { at: number; length: number }>,
  name: string,
): [number, number] {
  const { at, length } = places.get(name) ?? { at: 0, length: 0 }
  return [at, length]
}

function header(elf: Buffer, fields: { shoff: number; shnum: number; phnum: number }): void {
  Buffer.from('7f454c4602010100000000000000000003003e0001000000', 'hex').copy(elf)
  put(elf, 32, 64)
  put(elf, 40, fields.shoff)
  elf.writeUInt16LE(64, 52)
  elf.writeUInt16LE(SEGMENT_BYTES, 54)
  elf.writeUInt16LE(fields.phnum, 56)
  elf.writeUInt16LE(SECTION_BYTES, 58)
  elf.writeUInt16LE(fields.shnum, 60)
  elf.writeUInt16LE(fields.shnum - 1, 62)
}

function bytesOf(random: FuzzRandom, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)))
}

/** Mostly calls, so that any word that points here is a return address. */
function code(random: FuzzRandom): Buffer {
  const text = Buffer.alloc(TEXT_BYTES, random.pick([0xe8, 0xe8, 0x90, 0xff]))
  // a signal trampoline
  for (let at = 64; at < TEXT_BYTES; at += 512)
    Buffer.from('48c7c00f0000000f05', 'hex').copy(text, at)
  return text
}

function nameTable(random: FuzzRandom): Buffer {
  const long = random.pick(['a', '_ZN', '\u202e', '\n', '.part.0', 'Cs', '\ud83d'])
  return Buffer.from(`\0${long.repeat(random.pick([1, 40, 3000]))}\0main\0`)
}

function symbols(random: FuzzRandom, names: Buffer): Buffer {
  const count = random.pick([0, 3, 50, random.once(6) ? 40_000 : 50])
  const table = Buffer.alloc(count * 24)
  for (let index = 0; index < count; index++) {
    const at = index * 24
    table.writeUInt32LE(
      random.once(20) ? random.pick([0xffffffff, 0x7fffffff]) : random.below(names.length),
      at,
    )
    table[at + 4] = random.pick([0x12, 0x02, 0x10, 0x0a, random.below(256)])
    table.writeUInt16LE(1, at + 6)
    put(table, at + 8, random.once(9) ? random.pick(EXTREMES) : TEXT_AT + random.below(TEXT_BYTES))
    put(table, at + 16, random.pick([0, 16, TEXT_BYTES, 0xffffffff]))
  }
  return table
}

function goTable(random: FuzzRandom): Buffer {
  if (random.once(2)) return bytesOf(random, random.below(100))
  const count = random.pick([1, 2, 300])
  const funcsAt = 72 + 64
  const table = Buffer.alloc(funcsAt + count * 8 + 8 + 64 + 4096, random.pick([0, 1, 0x80, 0xff]))
  table.writeUInt32LE(0xfffffff1, 0)
  table.set([0, 0, 1, 8], 4)
  const fields = [count, 1, TEXT_AT, 72, 72, 72, funcsAt + count * 8 + 72, funcsAt]
  fields.forEach((value, index) =>
    put(table, 8 + index * 8, random.once(25) ? random.pick(EXTREMES) : value),
  )
  for (let index = 0; index <= count; index++) {
    table.writeUInt32LE(Math.floor((index * TEXT_BYTES) / count), funcsAt + index * 8)
    table.writeUInt32LE(random.once(9) ? 0xffffffff : count * 8 + 8, funcsAt + index * 8 + 4)
  }
  table.writeUInt32LE(random.below(64), funcsAt + count * 8 + 8 + 16)
  return table
}

function dynamic(random: FuzzRandom): Buffer {
  const table = Buffer.alloc(64)
  put(table, 0, random.pick([21, 21, 1, 0]))
  put(table, 16, random.pick([21, 21, 5]))
  return table
}

function manySections(random: FuzzRandom): Section[] {
  const name = random.pick(['x', '.symtab', '.text'.repeat(40)])
  return Array.from({ length: random.pick([200, 1000, 1000, 2000]) }, () => ({
    name,
    bytes: Buffer.alloc(0),
  }))
}

function buildIdNote(random: FuzzRandom): Buffer {
  const note = Buffer.from('040000001400000003000000474e5500', 'hex')
  if (random.once(8)) note.writeUInt32LE(random.pick([0, 64, 0xffffffff]), 4)
  return Buffer.concat([note, Buffer.alloc(20, random.below(3))])
}
