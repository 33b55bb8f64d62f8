import { integers, type ElfClass, type Integers } from '../elf/elf-header.ts'
import { parseNotes, NT } from '../elf/notes.ts'
import { SegmentTable, type PlainSegments } from './segment-table.ts'

const MAX_MAPPINGS = 131_072
const MAX_KEPT_MAPPINGS = 4096
/** PATH_MAX: the kernel writes no longer ones. */
const MAX_PATH_BYTES = 4096
/** SI_TIMER and SI_SIGIO: what a timer and a file descriptor sent has no pid. */
const WITHOUT_SENDER: ReadonlySet<number> = new Set([-2, -5])
const FAULTS: ReadonlySet<number> = new Set([4, 5, 7, 8, 11])

/** One line of NT_FILE: a range of memory that a file backs. */
export interface FileMapping {
  readonly start: number
  readonly end: number
  /** Position in the file, in bytes. */
  readonly offset: number
  readonly path: string
}

/** One thread of the crashed process, as PRSTATUS has it. */
export interface ThreadFacts {
  /** In the innermost pid namespace of the process. */
  readonly tid: number
  readonly signal: number
  /** `pr_reg`, as the kernel laid it out for this machine. */
  readonly registers: Buffer
  /** arm64: where its thread-local storage is. */
  readonly tls?: number
}

/** What killed the process; siginfo(5) of the first SIGINFO note. */
export interface SignalFacts {
  readonly signal: number
  readonly code: number
  /** Of a fault only, in hex. */
  readonly faultAddress?: string
  /** Of a signal that a process sent. */
  readonly senderPid?: number
}

/** What the headers and notes of a core contain. */
export interface CoreFacts extends ElfClass {
  /** `e_machine`. */
  readonly machine: number
  /** The whole ELF header. */
  readonly header: Buffer
  readonly segments: SegmentTable
  /** The notes that were kept: registers, signal, files; no vector registers. */
  readonly notes: Buffer
  /** The crashing one first. */
  readonly threads: readonly ThreadFacts[]
  readonly signal?: SignalFacts
  readonly comm?: string
  readonly auxv: ReadonlyMap<number, number>
  readonly mappings: readonly FileMapping[]
  /** arm64: the bits of a code address that are its signature. */
  readonly pacMask?: bigint
  /** What could not be read, in sentences. */
  readonly problems: readonly string[]
}

/** The facts of a core as plain data, for a message to another process. */
export type PlainFacts = Omit<CoreFacts, 'segments'> & { readonly segments: PlainSegments }

export function plainFacts(facts: CoreFacts): PlainFacts {
  return { ...facts, segments: facts.segments.toPlain() }
}

export function factsOf(plain: PlainFacts): CoreFacts {
  return { ...plain, segments: SegmentTable.from(plain.segments) }
}

interface NoteFacts extends Pick<
  CoreFacts,
  'threads' | 'signal' | 'comm' | 'auxv' | 'mappings' | 'pacMask'
> {}

/** Reads the notes of a core; a note that is too short is left out. */
export function parseCoreNotes(
  notes: Buffer,
  elfClass: ElfClass,
  segments: SegmentTable,
): NoteFacts {
  const read = integers(elfClass)
  const threads: ThreadFacts[] = []
  const auxv = new Map<number, number>()
  const isExecutable = (address: number): boolean => segments.isExecutable(address)
  let mappings: readonly FileMapping[] = []
  let signal: SignalFacts | undefined
  let comm: string | undefined
  let pacMask: bigint | undefined
  for (const { name, type, desc } of parseNotes(notes, read)) {
    if (name === 'CORE' && type === NT.PRSTATUS) {
      const thread = parseThread(desc, elfClass, read)
      if (thread) threads.push(thread)
    } else if (name === 'CORE' && type === NT.PRPSINFO) {
      comm ??= parseComm(desc, elfClass)
    } else if (name === 'CORE' && type === NT.AUXV) {
      parseAuxv(desc, elfClass, read, auxv)
    } else if (name === 'CORE' && type === NT.SIGINFO) {
      signal ??= parseSignal(desc, elfClass, read)
    } else if (name === 'CORE' && type === NT.FILE && mappings.length === 0) {
      mappings = parseFileNote(desc, read, isExecutable)
    } else if (name === 'LINUX' && type === NT.ARM_TLS && desc.length >= 8) {
      const last = threads.pop()
      if (last) threads.push({ ...last, tls: read.word(desc, 0) })
    } else if (name === 'LINUX' && type === NT.ARM_PAC_MASK && desc.length >= 16) {
      pacMask = desc.readBigUInt64LE(8)
    }
  }
  return {
    threads,
    auxv,
    mappings,
    ...(signal && { signal }),
    ...(comm !== undefined && { comm }),
    ...(pacMask !== undefined && { pacMask }),
  }
}

function parseThread(desc: Buffer, { bits }: ElfClass, read: Integers): ThreadFacts | undefined {
  const [tidAt, registersAt] = bits === 64 ? [32, 112] : [24, 72]
  if (desc.length < registersAt) return undefined
  return {
    tid: read.i32(desc, tidAt),
    signal: read.half(desc, 12),
    registers: desc.subarray(registersAt),
  }
}

function parseComm(desc: Buffer, { bits }: ElfClass): string {
  const at = bits === 64 ? 40 : 28
  const name = desc.subarray(at, at + 16)
  const end = name.indexOf(0)
  return name.toString('utf8', 0, end < 0 ? name.length : end)
}

function parseAuxv(
  desc: Buffer,
  { bits }: ElfClass,
  read: Integers,
  auxv: Map<number, number>,
): void {
  const word = bits / 8
  for (let at = 0; at + 2 * word <= desc.length && auxv.size < 64; at += 2 * word) {
    auxv.set(read.word(desc, at), read.word(desc, at + word))
  }
}

function parseSignal(desc: Buffer, { bits }: ElfClass, read: Integers): SignalFacts | undefined {
  const word = bits / 8
  // the union begins at the alignment of a pointer
  const at = bits === 64 ? 16 : 12
  if (desc.length < at + word) return undefined
  const signal = read.i32(desc, 0)
  const code = read.i32(desc, 8)
  // SI_KERNEL (0x80) and what a process sends have no address
  const isFault = FAULTS.has(signal) && code > 0 && code < 0x80
  return {
    signal,
    code,
    ...(isFault && { faultAddress: hexOf(desc, at, bits, read) }),
    ...(code <= 0 && !WITHOUT_SENDER.has(code) && { senderPid: read.i32(desc, at) }),
  }
}

function hexOf(desc: Buffer, at: number, bits: 32 | 64, read: Integers): string {
  if (bits === 32) return `0x${read.u32(desc, at).toString(16)}`
  const low = BigInt(read.u32(desc, at))
  const high = BigInt(read.u32(desc, at + 4))
  const isLittle = read.word(Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]), 0) === 1
  return `0x${(isLittle ? (high << 32n) | low : (low << 32n) | high).toString(16)}`
}

/**
 * The mappings in an NT_FILE note of those files that have code mapped: a database has thousands of others.
 * What does not fit is left out.
 */
function parseFileNote(
  desc: Buffer,
  read: Integers,
  isExecutable: (address: number) => boolean,
): FileMapping[] {
  const paths = new Set<string>()
  for (const { start, path } of mappingsOf(desc, read)) if (isExecutable(start)) paths.add(path)
  const kept: FileMapping[] = []
  for (const mapping of mappingsOf(desc, read)) {
    const isPossible = mapping.start < mapping.end && Number.isSafeInteger(mapping.end)
    if (isPossible && paths.has(mapping.path) && kept.length < MAX_KEPT_MAPPINGS) kept.push(mapping)
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
    nameAt = nameEnd + 1
    if (bytes.length > MAX_PATH_BYTES) continue
    // neighbours are mostly of one file, and their path is one string
    if (!bytes.equals(previous.bytes)) previous = { path: bytes.toString('utf8'), bytes }
    yield {
      start: read.word(desc, at),
      end: read.word(desc, at + word),
      offset: read.word(desc, at + 2 * word) * pageBytes,
      path: previous.path,
    }
  }
}
