import type { Integers } from './elf-header.ts'

export interface Note {
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
