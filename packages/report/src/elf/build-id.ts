import { integers } from './elf-header.ts'
import { parseNotes } from './notes.ts'

const NT_GNU_BUILD_ID = 3
const MAX_BYTES = 64
const LITTLE = integers({ bits: 64, littleEndian: true })
/** namesz 4, and after descsz and the type: the owner of a build-id note. */
const OWNER = Buffer.from('\x03\0\0\0GNU\0', 'latin1')

/** The build-id among these notes, in hex; undefined without one. */
export function buildIdOfNotes(notes: Buffer): string | undefined {
  for (const { type, name, desc } of parseNotes(notes, LITTLE)) {
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
  return bytes > 0 && bytes <= MAX_BYTES
}
