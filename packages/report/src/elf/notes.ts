import { integers, type Integers } from './elf-header.ts'

/** Notes of a core that a report or a minicore uses; elf.h. */
export const NT = {
  PRSTATUS: 1,
  PRPSINFO: 3,
  AUXV: 6,
  SIGINFO: 0x53494749,
  FILE: 0x46494c45,
  ARM_TLS: 0x401,
  ARM_PAC_MASK: 0x406,
} as const

/** Entries of the auxiliary vector; getauxval(3). */
export const AT = {
  PHDR: 3,
  PAGESZ: 6,
  BASE: 7,
  ENTRY: 9,
  RANDOM: 25,
  SYSINFO_EHDR: 33,
} as const

const NT_GNU_BUILD_ID = 3
const MAX_BUILD_ID_BYTES = 64
const LITTLE = integers({ bits: 64, littleEndian: true })
/** namesz 4, and after descsz and the type: the owner of a build-id note. */
const OWNER = Buffer.from('\x03\0\0\0GNU\0', 'latin1')

interface Note {
  readonly type: number
  readonly name: string
  readonly desc: Buffer
}

/** The notes of a PT_NOTE segment or a note section, until one does not fit. */
export function* parseNotes(bytes: Buffer, read: Pick<Integers, 'u32'>): Generator<Note> {
  let at = 0
  while (at + 12 <= bytes.length) {
    const nameBytes = read.u32(bytes, at)
    const descBytes = read.u32(bytes, at + 4)
    const type = read.u32(bytes, at + 8)
    const start = at + 12 + align4(nameBytes)
    if (start + descBytes > bytes.length) return
    const name = bytes.toString('latin1', at + 12, at + 12 + Math.max(0, nameBytes - 1))
    yield { type, name, desc: bytes.subarray(start, start + descBytes) }
    at = start + align4(descBytes)
  }
}

export function align4(length: number): number {
  return Math.ceil(length / 4) * 4
}

/** The build-id among these notes, in hex; undefined without one. */
export function buildIdOfNotes(
  notes: Buffer,
  read: Pick<Integers, 'u32'> = LITTLE,
): string | undefined {
  for (const { type, name, desc } of parseNotes(notes, read)) {
    if (type === NT_GNU_BUILD_ID && name === 'GNU' && isLength(desc.length)) {
      return desc.toString('hex')
    }
  }
  return undefined
}

/** Finds a build-id note anywhere in a page: Go's linker leaves it out of PT_NOTE. */
export function searchBuildId(page: Buffer): string | undefined {
  for (let at = page.indexOf(OWNER); at >= 0; at = page.indexOf(OWNER, at + 1)) {
    if (at < 8 || page.readUInt32LE(at - 8) !== 4) continue
    const length = page.readUInt32LE(at - 4)
    const start = at + OWNER.length
    if (isLength(length) && start + length <= page.length) {
      return page.toString('hex', start, start + length)
    }
  }
  return undefined
}

function isLength(bytes: number): boolean {
  return bytes > 0 && bytes <= MAX_BUILD_ID_BYTES
}
