const EHDR_BYTES = 64
const PHDR_BYTES = 56
const SHDR_BYTES = 64
const PT_NOTE = 4
const PN_XNUM = 0xffff

/** A line of NT_FILE. */
export interface MappedFile {
  readonly start: number
  readonly end: number
  readonly offset: number
  readonly path: string
}

export interface RewriteOptions {
  /** Added as a note: qemu writes none. */
  readonly files?: readonly MappedFile[]
  /** Order of the segments in the table and in the file; `size` is that of kernel.core_sort_vma. */
  readonly order?: 'address' | 'size' | 'reversed'
  /** The notes are behind the memory, as gcore of gdb writes them. */
  readonly notesLast?: boolean
  /** The header has no number of segments: it is in a section header at the end. */
  readonly xnum?: boolean
}

interface Part {
  readonly header: Buffer
  readonly bytes: Buffer
  readonly isNote: boolean
}

/** The same core in another layout; little-endian, 64 bits. */
export function rewriteCore(
  core: Buffer,
  { order = 'address', notesLast = false, xnum = false, files = [] }: RewriteOptions,
): Buffer {
  const count = core.readUInt16LE(56)
  const parts = Array.from({ length: count }, (_, index): Part => {
    const header = core.subarray(EHDR_BYTES + index * PHDR_BYTES).subarray(0, PHDR_BYTES)
    const offset = Number(header.readBigUInt64LE(8))
    const size = Number(header.readBigUInt64LE(32))
    const isNote = header.readUInt32LE(0) === PT_NOTE
    const bytes = core.subarray(offset, offset + size)
    return isNote && files.length > 0 ? withFiles(header, bytes, files) : { header, bytes, isNote }
  })
  const notes = parts.filter(({ isNote }) => isNote)
  const memory = parts.filter(({ isNote }) => !isNote)
  const address = ({ header }: Part): number => Number(header.readBigUInt64LE(16))
  memory.sort((a, b) =>
    order === 'size' ? a.bytes.length - b.bytes.length : address(a) - address(b),
  )
  if (order === 'reversed') memory.reverse()
  // the table of the kernel's and gcore's cores begins with the notes, wherever they are
  const table = padded([...notes, ...memory], xnum)
  const data = notesLast ? [...memory, ...notes] : [...notes, ...memory]
  const offsets = new Map<Part, number>()
  let at = EHDR_BYTES + table.length * PHDR_BYTES
  for (const part of data) {
    offsets.set(part, at)
    at += part.bytes.length
  }
  const headers = table.map((part) => {
    const header = Buffer.from(part.header)
    header.writeBigUInt64LE(BigInt(offsets.get(part) ?? 0), 8)
    return header
  })
  const elf = Buffer.from(core.subarray(0, EHDR_BYTES))
  const section = Buffer.alloc(xnum ? SHDR_BYTES : 0)
  if (xnum) {
    elf.writeUInt16LE(PN_XNUM, 56)
    elf.writeBigUInt64LE(BigInt(at), 40)
    section.writeUInt32LE(table.length, 44)
  }
  return Buffer.concat([elf, ...headers, ...data.map(({ bytes }) => bytes), section])
}

/** PN_XNUM is for 65,535 segments and more: empty ones make up the number. */
function padded(table: readonly Part[], xnum: boolean): Part[] {
  if (!xnum) return [...table]
  const empty = Array.from({ length: PN_XNUM + 5 - table.length }, (_, index): Part => {
    const header = Buffer.alloc(PHDR_BYTES)
    header.writeUInt32LE(1, 0)
    header.writeUInt32LE(4, 4)
    header.writeBigUInt64LE(BigInt(0x100000000 + index * 8192), 16)
    header.writeBigUInt64LE(4096n, 40)
    return { header, bytes: Buffer.alloc(0), isNote: false }
  })
  return [...table, ...empty]
}

function withFiles(header: Buffer, notes: Buffer, files: readonly MappedFile[]): Part {
  const numbers = [files.length, 4096].concat(
    files.flatMap(({ start, end, offset }) => [start, end, offset / 4096]),
  )
  const paths = Buffer.from(files.map(({ path }) => `${path}\0`).join(''))
  const desc = Buffer.alloc(Math.ceil((numbers.length * 8 + paths.length) / 4) * 4)
  numbers.forEach((number, index) => desc.writeBigUInt64LE(BigInt(number), index * 8))
  paths.copy(desc, numbers.length * 8)
  const head = Buffer.from('\x05\0\0\0\0\0\0\0ELIFCORE\0\0\0\0', 'latin1')
  head.writeUInt32LE(desc.length, 4)
  const bytes = Buffer.concat([notes, head, desc])
  const changed = Buffer.from(header)
  changed.writeBigUInt64LE(BigInt(bytes.length), 32)
  return { header: changed, bytes, isNote: true }
}
