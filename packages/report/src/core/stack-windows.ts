import type { Architecture } from '../unwind/architecture.ts'
import { architectureOf } from '../unwind/architectures.ts'
import { AT } from '../elf/notes.ts'
import type { CoreFacts, ThreadFacts } from './core-facts.ts'
import { WindowMemory, type MemoryReader } from './memory.ts'
import type { Segment } from './segment-table.ts'

/** How much of the stacks is kept; bytes. */
export interface WindowLimits {
  /** Of the crashing thread's stack, from its stack pointer up. @default 2 MiB */
  readonly crashBytes: number
  /** Of each other thread's stack. @default 32768 */
  readonly otherBytes: number
  /** At the outer end of a stack that is longer than its window. @default 16384 */
  readonly outerBytes: number
  /** Of all together. @default 6 MiB */
  readonly totalBytes: number
}

export const WINDOW_LIMITS: WindowLimits = {
  crashBytes: 2 * 1024 * 1024,
  otherBytes: 32_768,
  outerBytes: 16_384,
  totalBytes: 6 * 1024 * 1024,
}

/** Below the stack pointer, where leaf functions may write; the ABI of x86-64. */
export const RED_ZONE_BYTES = 128
/** A frame that does not fit leaves the stack pointer this far below the stack. */
export const OVERFLOW_BYTES: number = 16 * 1024 * 1024
const MIN_SHARE_BYTES = 4096
const VDSO_BYTES = 16_384
const PAGE_BYTES = 4096
const MAX_FIRST_PAGES = 256
/** How far above the stack pointer the frame of a signal is looked for. */
export const SIGNAL_SEARCH_BYTES = 65_536

/** A range of memory to keep. */
export interface Window {
  readonly start: number
  readonly length: number
}

/** Where the stack of a thread goes on to: the end of its segment, or where arguments and environment begin. */
export function stackTop(facts: CoreFacts, stack: Segment): number {
  const end = stack.vaddr + stack.memsz
  const random = facts.auxv.get(AT.RANDOM)
  // AT_RANDOM is below the strings of arguments and environment
  return random !== undefined && random > stack.vaddr && random < end
    ? Math.floor(random / 16) * 16
    : end
}

/**
 * The windows that are known from the notes alone: one or two of each thread, in fair shares, and the
 * vdso. `share` is the limit of one thread's stack.
 */
export function planWindows(
  facts: CoreFacts,
  architecture: Architecture,
  limits: WindowLimits,
): Window[] {
  const windows: Window[] = []
  const vdso = facts.auxv.get(AT.SYSINFO_EHDR)
  // only stacks lead through it
  if (vdso !== undefined && limits.totalBytes > 0) {
    windows.push({ start: vdso, length: VDSO_BYTES })
  }
  let left = limits.totalBytes
  facts.threads.forEach((thread, index) => {
    const others = facts.threads.length - index
    const fair = Math.max(MIN_SHARE_BYTES, Math.floor(left / others))
    const share = index === 0 ? limits.crashBytes : Math.min(limits.otherBytes, fair)
    for (const window of threadWindows(facts, architecture, thread, share, limits.outerBytes)) {
      if (window.length > left) break
      left -= window.length
      windows.push(window)
    }
  })
  return windows
}

function threadWindows(
  facts: CoreFacts,
  architecture: Architecture,
  thread: ThreadFacts,
  share: number,
  outerBytes: number,
): Window[] {
  const sp = architecture.stackPointer(thread.registers)
  return sp === undefined ? [] : windowsFrom(facts, sp, share, outerBytes)
}

/** From a stack pointer up, and the outer end of a stack that is longer than its share. */
export function windowsFrom(
  facts: CoreFacts,
  sp: number,
  share: number,
  outerBytes: number,
): Window[] {
  // of an overflow the stack pointer lies in the guard page, or below the stack
  const stack = facts.segments.findWritable(sp, OVERFLOW_BYTES)
  if (stack === undefined) return []
  const top = stackTop(facts, stack)
  const start = Math.max(stack.vaddr, Math.floor((sp - RED_ZONE_BYTES) / 16) * 16)
  if (start >= top) return []
  if (top - start <= share) return [{ start, length: top - start }]
  const outer = Math.min(outerBytes, Math.floor(share / 4))
  return [
    { start, length: share - outer },
    { start: top - outer, length: outer },
  ]
}

/** The first page of each file that has code: by it a file is known to be the one that was mapped. */
export function planFirstPages({ mappings, segments }: CoreFacts): Window[] {
  const loaded = new Set<string>()
  for (const { path, start } of mappings) if (segments.isExecutable(start)) loaded.add(path)
  return mappings
    .filter(({ path, offset }) => offset === 0 && loaded.has(path))
    .slice(0, MAX_FIRST_PAGES)
    .map(({ start }) => ({ start, length: PAGE_BYTES }))
}

/**
 * The ranges of memory to keep, one after the other: the stacks of all threads, first pages of modules, and
 * what a signal handler on a stack of its own interrupted. Each is answered with its bytes.
 */
export function* requestWindows(
  facts: CoreFacts,
  limits: WindowLimits = WINDOW_LIMITS,
): Generator<Window, void, Buffer> {
  const architecture = architectureOf(facts)
  if (architecture === undefined) return
  const kept: Window[] = []
  let total = 0
  function* request(window: Window): Generator<Window, Buffer, Buffer> {
    const bytes = yield window
    if (bytes.length > 0) kept.push({ start: window.start, length: bytes.length })
    total += bytes.length
    return bytes
  }
  for (const window of planWindows(facts, architecture, limits)) {
    const bytes = yield* request(window)
    const sp = architecture.interruptedStackPointer(bytes.subarray(0, SIGNAL_SEARCH_BYTES))
    if (sp === undefined) continue
    if (kept.some(({ start, length }) => sp >= start && sp + 8 <= start + length)) continue
    const share = Math.min(limits.crashBytes / 4, limits.totalBytes - total)
    if (share < MIN_SHARE_BYTES) continue
    for (const more of windowsFrom(facts, sp, share, limits.outerBytes)) yield* request(more)
  }
  for (const page of planFirstPages(facts)) yield* request(page)
}

/**
 * Copies what `requestWindows` asks for. `memory` is `/proc/<pid>/mem` of the process while it is kept, or
 * a core file.
 */
export function readWindows(
  facts: CoreFacts,
  memory: MemoryReader,
  limits: WindowLimits = WINDOW_LIMITS,
): WindowMemory {
  const kept = new WindowMemory()
  const requests = requestWindows(facts, limits)
  for (let next = requests.next(); next.done !== true;) {
    const { start, length } = next.value
    const bytes = memory.read(start, length)
    if (bytes.length > 0) kept.add(start, bytes)
    next = requests.next(bytes)
  }
  return kept
}
