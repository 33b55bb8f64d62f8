import { integers, type ElfClass, type Integers } from '../elf/elf-header.ts'
import { align4, NT } from '../elf/notes.ts'

/** Of kept notes; one thread needs 0.4 KB. */
export const MAX_NOTE_BYTES: number = 2 * 1024 * 1024
const HEAD_BYTES = 12
const FIRST_BYTES = 16 * 1024
/** Of notes, kept or not: of more than 100,000 threads. A hole of a file is many notes without a name. */
const MAX_NOTES = 1024 * 1024
/** An owner's name that is longer is none that we know. */
const MAX_OWNER_BYTES = 8

const OF_CORE: ReadonlySet<number> = new Set([
  NT.PRSTATUS,
  NT.PRPSINFO,
  NT.AUXV,
  NT.SIGINFO,
  NT.FILE,
])
const OF_LINUX: ReadonlySet<number> = new Set([NT.ARM_TLS, NT.ARM_PAC_MASK])

/** Takes the notes of a core as they come, in pieces of any size, and keeps those that are used. */
export class NoteCollector {
  readonly #read: Integers
  /** Notes of a thousand threads would be a thousand buffers. */
  #notes = Buffer.allocUnsafeSlow(FIRST_BYTES)
  #kept = 0
  #scratch = Buffer.allocUnsafe(HEAD_BYTES + MAX_OWNER_BYTES)
  #filled = 0
  #wanted = HEAD_BYTES
  #skip = 0
  /** Of the note that is being read. */
  #left = 0
  #filledTo = 0
  /** Threads that were left out because of `MAX_NOTE_BYTES`. */
  threadsDropped = 0
  #count = 0

  constructor(elfClass: ElfClass) {
    this.#read = integers(elfClass)
  }

  /** What comes is left out. */
  get isFull(): boolean {
    return this.#count >= MAX_NOTES
  }

  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && !this.isFull) at += this.#take(chunk, at)
  }

  /** The kept notes, whole ones only. */
  bytes(): Buffer {
    return this.#notes.subarray(0, this.#kept)
  }

  /** How many bytes from `at` on were used. */
  #take(chunk: Buffer, at: number): number {
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, chunk.length - at)
      this.#skip -= skipped
      return skipped
    }
    if (this.#left > 0) return this.#fill(chunk, at)
    const used = chunk.copy(this.#scratch, this.#filled, at, at + this.#wanted - this.#filled)
    this.#filled += used
    if (this.#filled === this.#wanted) this.#advance()
    return used
  }

  #fill(chunk: Buffer, at: number): number {
    const used = chunk.copy(this.#notes, this.#filledTo, at, at + this.#left)
    this.#filledTo += used
    this.#left -= used
    if (this.#left === 0) this.#kept = this.#filledTo
    return used
  }

  #advance(): void {
    const nameBytes = this.#read.u32(this.#scratch, 0)
    const descBytes = align4(this.#read.u32(this.#scratch, 4))
    const isKnown = nameBytes > 0 && nameBytes <= MAX_OWNER_BYTES
    if (this.#wanted === HEAD_BYTES && isKnown) {
      this.#wanted += align4(nameBytes)
      return
    }
    this.#count++
    const head = this.#scratch.subarray(0, this.#wanted)
    this.#filled = 0
    this.#wanted = HEAD_BYTES
    this.#skip = isKnown ? descBytes : align4(nameBytes) + descBytes
    if (!isKnown) return
    const owner = head.toString('latin1', HEAD_BYTES, HEAD_BYTES + nameBytes - 1)
    const type = this.#read.u32(head, 8)
    if (!isKeptNote(owner, type)) return
    if (this.#kept + head.length + descBytes > MAX_NOTE_BYTES) {
      if (type === NT.PRSTATUS) this.threadsDropped++
      return
    }
    this.#keep(head, descBytes)
  }

  #keep(head: Buffer, descBytes: number): void {
    this.#grow(this.#kept + head.length + descBytes)
    this.#filledTo = this.#kept + head.copy(this.#notes, this.#kept)
    this.#skip = 0
    this.#left = descBytes
    if (descBytes === 0) this.#kept = this.#filledTo
  }

  #grow(bytes: number): void {
    if (bytes <= this.#notes.length) return
    const notes = Buffer.allocUnsafeSlow(Math.max(bytes, this.#notes.length * 2))
    this.#notes.copy(notes, 0, 0, this.#kept)
    this.#notes = notes
  }
}

/** Not the vector registers: they hold the last strings that were copied, and 3 KB of each thread. */
function isKeptNote(owner: string, type: number): boolean {
  return (owner === 'CORE' && OF_CORE.has(type)) || (owner === 'LINUX' && OF_LINUX.has(type))
}
