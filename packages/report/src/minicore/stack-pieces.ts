import type { CrashAnalysis } from '../crash-analysis.ts'
import type { ThreadFacts } from '../core/core-facts.ts'
import { OVERFLOW_BYTES, RED_ZONE_BYTES, stackTop } from '../core/stack-windows.ts'
import { readU64 } from '../elf/byte-source.ts'
import { AT } from '../elf/notes.ts'
import type { Segment } from '../core/segment-table.ts'
import type { Architecture } from '../unwind/architecture.ts'
import type { Stack, UsedRange } from '../unwind/frame.ts'

/** Behind the last frame, for debuggers that look whether there is one more. */
const BEHIND_BYTES = 128
/** Of a thread's own stack, where no caller was found. */
const UNKNOWN_BYTES = 8192
const MAX_RANGE_BYTES = 512 * 1024
/** Smaller numbers may be kept: they hold at most one character of a text. */
const MAX_SMALL_NUMBER = 4095
const WORD_BYTES = 8

/** A range of memory in a minicore. */
export interface Piece {
  readonly vaddr: number
  readonly bytes: Buffer
  /** Of the range; a range without bytes is one that the process had. @default bytes.length */
  readonly memoryBytes?: number
  /** p_flags. */
  readonly flags: number
}

/**
 * The memory of a thread's frames, and nothing of what lies behind them: a goroutine's stack lies in the heap.
 * Innermost first, as many as fit.
 */
export function stackPieces(analysis: CrashAnalysis, index: number, maxBytes: number): Piece[] {
  const { facts, architecture, memory } = analysis
  const stack = analysis.stacks[index]
  const thread = facts.threads[index]
  if (architecture === undefined || thread === undefined) return []
  const sp = architecture.stackPointer(thread.registers)
  const ranges = stack?.used ?? []
  const known = ranges.length > 0 || sp === undefined ? ranges : [emptyRange(sp)]
  let left = maxBytes
  return known.flatMap((range) => {
    const piece = pieceOf(analysis, architecture, thread, range)
    if (piece === undefined || piece.end - piece.start > left) return []
    left -= piece.end - piece.start
    const found = memory.read(piece.start, piece.end - piece.start)
    if (found.length === 0) return []
    // a thousand stacks would be there twice: only what is changed is copied
    const isKept = piece.isOwn && stack?.frames.every(({ trust }) => trust !== 'signal') !== false
    const bytes = isKept ? found : Buffer.from(found)
    blankVectorRegisters(analysis, stack, piece.start, bytes)
    if (!piece.isOwn) blankData(analysis, stack, bytes)
    return [{ vaddr: piece.start, bytes, flags: piece.flags }]
  })
}

function emptyRange(sp: number): UsedRange {
  return { start: sp - RED_ZONE_BYTES, end: sp }
}

function pieceOf(
  analysis: CrashAnalysis,
  architecture: Architecture,
  thread: ThreadFacts,
  range: UsedRange,
): { start: number; end: number; flags: number; isOwn: boolean } | undefined {
  const { facts } = analysis
  const segment = facts.segments.findWritable(range.start + RED_ZONE_BYTES, OVERFLOW_BYTES)
  if (segment === undefined) return undefined
  const isOwn = isOwnStack(analysis, architecture, thread, segment)
  const top = stackTop(facts, segment)
  const start = Math.max(segment.vaddr, Math.floor(range.start / 16) * 16)
  const isUnknown = range.end <= range.start + RED_ZONE_BYTES
  const behind = isOwn && isUnknown ? UNKNOWN_BYTES : BEHIND_BYTES
  const end = Math.min(top, range.end + behind, start + MAX_RANGE_BYTES)
  return end > start ? { start, end, flags: segment.flags, isOwn } : undefined
}

/**
 * The segment is a stack and nothing else: it has the program's arguments, or a guard below and the thread's
 * storage. Go keeps both in its heap.
 */
function isOwnStack(
  { executable, facts }: CrashAnalysis,
  architecture: Architecture,
  thread: ThreadFacts,
  segment: Segment,
): boolean {
  const has = (address: number | undefined): boolean =>
    address !== undefined && address >= segment.vaddr && address <= segment.vaddr + segment.memsz
  if (has(facts.auxv.get(AT.RANDOM))) return true
  if (executable?.go !== undefined) return false
  const below = facts.segments.findBelow(segment.vaddr)
  return below !== undefined && (below.flags & 7) === 0 && has(architecture.threadPointer(thread))
}

/**
 * A stack that lies in the heap, as of a goroutine, was other memory before, of which frames keep what they
 * have not overwritten. Only addresses, small numbers and the registers of frames remain: enough to unwind.
 */
function blankData({ facts }: CrashAnalysis, stack: Stack | undefined, bytes: Buffer): void {
  const registers = new Set(stack?.frames.flatMap(({ pc, sp }) => [pc, sp]))
  for (let at = 0; at + WORD_BYTES <= bytes.length; at += WORD_BYTES) {
    const word = readU64(bytes, at)
    const isKept = word <= MAX_SMALL_NUMBER || registers.has(word) || facts.segments.has(word)
    if (!isKept) bytes.fill(0, at, at + WORD_BYTES)
  }
  bytes.fill(0, bytes.length - (bytes.length % WORD_BYTES))
}

/** The kernel saves them on the stack of a signal handler, and they hold strings that were copied last. */
function blankVectorRegisters(
  { architecture, memory }: CrashAnalysis,
  stack: Stack | undefined,
  vaddr: number,
  bytes: Buffer,
): void {
  const frames = stack?.frames ?? []
  frames.forEach(({ trust }, index) => {
    const trampoline = frames[index - 1]
    if (trust !== 'signal' || trampoline === undefined) return
    for (const { start, length } of architecture?.vectorRegisters(trampoline.sp, memory) ?? []) {
      const from = Math.max(0, start - vaddr)
      const to = Math.min(bytes.length, start + length - vaddr)
      if (from < to) bytes.fill(0, from, to)
    }
  })
}
