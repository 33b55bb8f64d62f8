import { integers } from '../elf/elf-header.ts'
import { align4 } from '../elf/notes.ts'
import { NT } from '../core/note-types.ts'

/** elf_prpsinfo of 64 bits: pr_psargs is the last field. */
const PSARGS_AT = 56

/** Removes the arguments of the program from notes. */
export function blankArguments(notes: Buffer): void {
  const read = integers({ bits: 64, littleEndian: true })
  for (let at = 0; at + 12 <= notes.length;) {
    const desc = at + 12 + align4(read.u32(notes, at))
    const end = desc + align4(read.u32(notes, at + 4))
    if (end > notes.length) break
    if (read.u32(notes, at + 8) === NT.PRPSINFO) notes.fill(0, Math.min(desc + PSARGS_AT, end), end)
    at = end
  }
}
