import type { Integers } from '../elf/elf-header.ts'

const MAX_MAPPINGS = 131_072
const MAX_KEPT = 4096

/** One line of NT_FILE: a range of memory that a file backs. */
export interface FileMapping {
  readonly start: number
  readonly end: number
  /** Position in the file, in bytes. */
  readonly offset: number
  readonly path: string
}

/**
 * The mappings in an NT_FILE note of those files that have code mapped: a database has thousands of others.
 * What does not fit is left out.
 */
export function parseFileNote(
  desc: Buffer,
  read: Integers,
  isExecutable: (address: number) => boolean,
): FileMapping[] {
  const paths = new Set<string>()
  for (const { start, path } of mappingsOf(desc, read)) if (isExecutable(start)) paths.add(path)
  const kept: FileMapping[] = []
  for (const mapping of mappingsOf(desc, read)) {
    const isPossible = mapping.start < mapping.end && Number.isSafeInteger(mapping.end)
    if (isPossible && paths.has(mapping.path) && kept.length < MAX_KEPT) kept.push(mapping)
  }
  return kept
}

function* mappingsOf(desc: Buffer, read: Integers): Generator<FileMapping> {
  const word = read.word === read.u32 ? 4 : 8
  if (desc.length < 2 * word) return
  const room = Math.floor((desc.length - 2 * word) / (3 * word))
  const count = Math.min(read.word(desc, 0), room, MAX_MAPPINGS)
  const pageBytes = read.word(desc, word)
  let nameAt = 2 * word + Math.min(read.word(desc, 0), room) * 3 * word
  let previous: { path: string; bytes: Buffer } = { path: '', bytes: Buffer.alloc(0) }
  for (let index = 0; index < count; index++) {
    const at = 2 * word + index * 3 * word
    const nameEnd = desc.indexOf(0, nameAt)
    if (nameEnd < 0) return
    const bytes = desc.subarray(nameAt, nameEnd)
    // neighbours are mostly of one file, and their path is one string
    if (!bytes.equals(previous.bytes)) previous = { path: bytes.toString('utf8'), bytes }
    yield {
      start: read.word(desc, at),
      end: read.word(desc, at + word),
      offset: read.word(desc, at + 2 * word) * pageBytes,
      path: previous.path,
    }
    nameAt = nameEnd + 1
  }
}
