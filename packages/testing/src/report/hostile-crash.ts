import type { FuzzRandom } from './fuzz-random.ts'
import { EXTREMES, put, TEXT_AT, TEXT_BYTES } from './hostile-frames.ts'
import { hostileModule } from './hostile-module.ts'

/** A crash that no program had: a core, and the files of its modules. */
export interface HostileCrash {
  readonly core: Buffer
  readonly files: ReadonlyMap<string, Buffer>
}

interface Segment {
  readonly flags: number
  readonly vaddr: number
  readonly bytes: Buffer
  readonly memsz?: number
}

interface Line {
  readonly start: number
  readonly end: number
  /** In pages. */
  readonly page: number
  readonly path: string
}

const PROGRAM_AT = 0x400000
const LIBRARY_AT = 0x7f0000000000
const STACK_AT = 0x7ffc00000000
const NT = { PRSTATUS: 1, PRPSINFO: 3, AUXV: 6, SIGINFO: 0x53494749, FILE: 0x46494c45 }

/** Any headers, notes, tables, names and memory; each is sound often enough for what comes behind it to be read. */
export function hostileCrash(random: FuzzRandom): HostileCrash {
  const program = hostileModule(random)
  const library = random.once(2) ? program : hostileModule(random)
  const files = new Map([
    ['/bin/program', program],
    ['/lib/library', library],
  ])
  const stack = stackMemory(random)
  const segments: Segment[] = [
    { flags: 5, vaddr: PROGRAM_AT, bytes: program.subarray(0, 4096), memsz: pages(program) },
    { flags: 5, vaddr: LIBRARY_AT, bytes: library.subarray(0, 4096), memsz: pages(library) },
    { flags: 0, vaddr: STACK_AT - 4096, bytes: Buffer.alloc(0), memsz: 4096 },
    { flags: random.pick([6, 6, 7]), vaddr: STACK_AT, bytes: stack },
  ]
  for (let left = random.once(5) ? 3000 : random.below(4); left > 0; left--) {
    const vaddr = random.once(3) ? random.pick(EXTREMES) : STACK_AT + random.below(2 ** 31) * 4096
    const bytes = random.once(2) ? Buffer.alloc(0) : stack.subarray(0, 4096)
    segments.push({ flags: random.below(8), vaddr, bytes, memsz: random.pick([4096, ...EXTREMES]) })
  }
  const lines = fileLines(random, PROGRAM_AT + pages(program), LIBRARY_AT + pages(library))
  const notes = notesOf(random, stack.length, lines)
  return { core: coreOf(random, notes, segments), files }
}

function pages(bytes: Buffer): number {
  return Math.ceil(bytes.length / 4096) * 4096
}

/** Words that lead to code, to the stack itself, or nowhere; frames of signals between them. */
function stackMemory(random: FuzzRandom): Buffer {
  const bytes = Buffer.alloc(random.pick([4096, 65_536, random.once(6) ? 2 * 1024 * 1024 : 65_536]))
  const rise = random.pick([16, 16, 256, 8192])
  for (let at = 0; at < bytes.length; at += 8) {
    const kind = random.below(8)
    const value =
      kind < 3
        ? PROGRAM_AT + TEXT_AT + random.below(TEXT_BYTES)
        : kind < 4
          ? LIBRARY_AT + TEXT_AT + random.below(TEXT_BYTES)
          : kind < 7
            ? STACK_AT + Math.min(at + random.below(rise), random.once(20) ? 64 : Infinity)
            : random.pick(EXTREMES)
    put(bytes, at, value)
  }
  for (let at = 256; at + 512 < bytes.length; at += random.pick([512, 4096, 65_536])) {
    // ucontext: no flags, no link, cs of a program
    bytes.fill(0, at, at + 16)
    bytes.writeUInt16LE(0x33, at + 0xb8)
  }
  return bytes
}

function fileLines(random: FuzzRandom, programEnd: number, libraryEnd: number): Line[] {
  const path = random.once(6) ? longPath(random) : '/lib/library'
  const lines: Line[] = [
    { start: PROGRAM_AT, end: programEnd, page: 0, path: '/bin/program' },
    { start: LIBRARY_AT, end: libraryEnd, page: 0, path },
  ]
  const count = random.once(6) ? random.pick([300, 5000, 20_000]) : random.below(5)
  const isSame = random.once(2)
  for (let index = 0; index < count; index++) {
    const start = random.once(9) ? random.pick(EXTREMES) : random.pick([PROGRAM_AT, LIBRARY_AT])
    const other = random.once(3) ? '/bin/program' : `/f${index}`
    const end = start + random.pick([4096, 65_536, 2 ** 46])
    lines.push({ start, end, page: random.pick([0, 1, 2 ** 40]), path: isSame ? path : other })
  }
  return random.once(4) ? lines.toReversed() : lines
}

function longPath(random: FuzzRandom): string {
  const part = random.pick(['/libc', '.1', '-1.', '/ld-linux', '\u{1f4a5}', ' (deleted)'])
  return `/${part.repeat(random.pick([60, 3000, 150_000]))}x`
}

function note(type: number, desc: Buffer, owner = 'CORE'): Buffer {
  const head = Buffer.alloc(20)
  head.writeUInt32LE(5, 0)
  head.writeUInt32LE(desc.length, 4)
  head.writeUInt32LE(type, 8)
  head.write(owner, 12)
  return Buffer.concat([head, desc, Buffer.alloc((4 - (desc.length % 4)) % 4)])
}

function notesOf(random: FuzzRandom, stackBytes: number, lines: readonly Line[]): Buffer {
  const signal = Buffer.alloc(128)
  signal.writeInt32LE(random.pick([6, 11, 0, -1, 99]), 0)
  signal.writeInt32LE(random.pick([1, 0, -6, 0x80, 0x7fffffff]), 8)
  put(signal, 16, random.pick(EXTREMES))
  const threads = random.pick([1, 1, 3, random.once(3) ? random.pick([0, 1000, 6000]) : 2])
  const isSame = random.once(3)
  const statuses = Array.from({ length: threads }, (_, index) => {
    const desc = Buffer.alloc(random.once(50) ? random.below(300) : 336)
    if (desc.length < 336) return note(NT.PRSTATUS, desc)
    desc.writeInt32LE(index + 1, 32)
    for (let at = 112; at < 328; at += 8) {
      put(desc, at, random.once(3) ? random.pick(EXTREMES) : STACK_AT + random.below(stackBytes))
    }
    put(
      desc,
      112 + 128,
      random.once(9) ? random.pick(EXTREMES) : PROGRAM_AT + TEXT_AT + random.below(TEXT_BYTES),
    )
    const sp = isSame ? 64 : (index * 4096 + 64) % stackBytes
    put(desc, 112 + 152, random.once(20) ? random.pick(EXTREMES) : STACK_AT + sp)
    return note(NT.PRSTATUS, desc)
  })
  const others = [
    note(NT.PRPSINFO, Buffer.alloc(136, random.pick(['n', '\x1b', '\0', '\xff']))),
    note(NT.SIGINFO, signal),
    note(NT.AUXV, auxv(random, stackBytes)),
    note(NT.FILE, fileNote(random, lines)),
    note(random.below(600), Buffer.alloc(random.below(300)), random.pick(['CORE', 'LINUX', 'GNU'])),
  ]
  return Buffer.concat([...statuses.slice(0, 1), ...others, ...statuses.slice(1)])
}

function auxv(random: FuzzRandom, stackBytes: number): Buffer {
  const entries: [number, number][] = [
    [3, PROGRAM_AT + 64],
    [6, 4096],
    [7, LIBRARY_AT],
    [9, PROGRAM_AT + TEXT_AT],
    [25, STACK_AT + random.below(stackBytes)],
    [33, random.pick([LIBRARY_AT, STACK_AT, 0, 2 ** 63])],
  ]
  const bytes = Buffer.alloc((entries.length + 1) * 16)
  entries.forEach(([key, value], index) => {
    put(bytes, index * 16, key)
    put(bytes, index * 16 + 8, random.once(15) ? random.pick(EXTREMES) : value)
  })
  return bytes
}

function fileNote(random: FuzzRandom, lines: readonly Line[]): Buffer {
  const numbers = Buffer.alloc(16 + lines.length * 24)
  put(numbers, 0, random.once(20) ? random.pick(EXTREMES) : lines.length)
  put(numbers, 8, random.once(20) ? random.pick(EXTREMES) : 4096)
  lines.forEach(({ start, end, page }, index) => {
    put(numbers, 16 + index * 24, start)
    put(numbers, 24 + index * 24, end)
    put(numbers, 32 + index * 24, page)
  })
  // long paths of many lines are more than a note can have
  const paths = lines
    .map(({ path }, index) => `${index < 8 ? path : path.slice(0, 300)}\0`)
    .join('')
  return Buffer.concat([numbers, Buffer.from(paths)])
}

function coreOf(random: FuzzRandom, notes: Buffer, segments: readonly Segment[]): Buffer {
  const order = random.once(4) ? segments.toReversed() : segments
  const table = Buffer.alloc((order.length + 1) * 56)
  const notesLast = random.once(8)
  let at = 64 + table.length + (notesLast ? 0 : notes.length)
  const notesAt = notesLast
    ? at + order.reduce((sum, { bytes }) => sum + bytes.length, 0)
    : 64 + table.length
  table.writeUInt32LE(4, 0)
  put(table, 8, notesAt)
  put(table, 32, random.once(40) ? random.pick(EXTREMES) : notes.length)
  order.forEach(({ flags, vaddr, bytes, memsz = bytes.length }, index) => {
    const to = (index + 1) * 56
    table.writeUInt32LE(1, to)
    table.writeUInt32LE(flags, to + 4)
    put(table, to + 8, at)
    put(table, to + 16, vaddr)
    put(table, to + 32, random.once(200) ? random.pick(EXTREMES) : bytes.length)
    put(table, to + 40, memsz)
    at += bytes.length
  })
  const header = Buffer.alloc(64)
  Buffer.from('7f454c4602010100000000000000000004003e0001000000', 'hex').copy(header)
  put(header, 32, 64)
  header.writeUInt16LE(56, 54)
  header.writeUInt16LE(random.once(30) ? 0xffff : order.length + 1, 56)
  if (random.once(30)) header[random.below(64)] = random.below(256)
  if (random.once(30)) put(header, 40, random.pick([at, ...EXTREMES]))
  const memory = order.map(({ bytes }) => bytes)
  const data = notesLast ? [...memory, notes] : [notes, ...memory]
  return Buffer.concat([header, table, ...data])
}
