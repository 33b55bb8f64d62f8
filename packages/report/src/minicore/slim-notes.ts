import { integers } from '../elf/elf-header.ts'
import { align4 } from '../elf/notes.ts'
import { NT } from '../core/note-types.ts'

/** elf_prpsinfo of 64 bits: pr_psargs is the last field. */
const PSARGS_AT = 56

/** The notes that were kept, without the arguments of the program. */
export function slimNotes(notes: Buffer): Buffer {
  const slim = Buffer.from(notes)
  const read = integers({ bits: 64, littleEndian: true })
  for (let at = 0; at + 12 <= slim.length;) {
    const desc = at + 12 + align4(read.u32(slim, at))
    const end = desc + align4(read.u32(slim, at + 4))
    if (end > slim.length) break
    if (read.u32(slim, at + 8) === NT.PRPSINFO) slim.fill(0, Math.min(desc + PSARGS_AT, end), end)
    at = end
  }
  return slim
}
