import type { CrashAnalysis } from '../crash-analysis.ts'
import {
  programName,
  fingerprint,
  type Fingerprint,
  type FingerprintFrame,
} from '../fingerprint/fingerprint.ts'
import type { Module } from '../modules/module.ts'
import type { Frame, Stack } from '../unwind/frame.ts'
import {
  REPORT_SCHEMA,
  type Report,
  type ReportCrash,
  type ReportFrame,
  type ReportGroup,
  type ReportThread,
  type ReportModule,
} from './report-type.ts'
import { signalCodeName, signalName } from './signal-names.ts'

/** A report is never longer, whatever the crash. */
export const MAX_REPORT_BYTES: number = 100 * 1024
const MAX_PATH_CHARACTERS = 512
const MAX_CRASHING_BYTES = 40 * 1024
/** Of the modules that frames are in. */
const MAX_FRAME_MODULES_BYTES = 32 * 1024
/** Up to here come groups of threads; the rest is for modules that no frame is in. */
const MAX_GROUPS_BYTES = 88 * 1024
const MAX_SYMBOL_CHARACTERS = 256
/** Schema, names of fields, and sentences about what was left out. */
const RESERVED_BYTES = 2048

/** Puts what the analysis has found so far into a report; `skipped` is what the caller left out on purpose. */
export function createReport(analysis: CrashAnalysis, skipped: readonly string[] = []): Report {
  const crash = crashOf(analysis)
  const key = fingerprintOf(analysis)
  const left: string[] = [...skipped, ...problemsOf(analysis)]
  const room = { used: RESERVED_BYTES + jsonBytes(crash) + jsonBytes(key) + jsonBytes(left) }
  const modules = new ReportModules(room)
  const crashingThread = crashingThreadOf(analysis, modules, room, left)
  const groups = groupsOf(analysis, modules, room, left)
  for (const module of analysis.loadedModules()) {
    if (analysis.budget.isOver || modules.add(module, MAX_REPORT_BYTES) === undefined) {
      left.push('modules that no frame is in are left out')
      break
    }
  }
  return {
    schema: REPORT_SCHEMA,
    crash,
    fingerprint: key,
    modules: modules.list(),
    ...(crashingThread && { crashingThread }),
    groups,
    skipped: left,
  }
}

interface Room {
  used: number
}

function crashOf(analysis: CrashAnalysis): ReportCrash {
  const { facts, executable } = analysis
  const { signal, comm, threads } = facts
  const number = signal?.signal ?? threads[0]?.signal
  const codeName = signal && signalCodeName(signal.signal, signal.code)
  const name = number === undefined ? undefined : signalName(number)
  return {
    ...(number !== undefined && { signal: number }),
    ...(name !== undefined && { signalName: name }),
    ...(signal && { code: signal.code }),
    ...(codeName !== undefined && { codeName }),
    ...(signal?.faultAddress !== undefined && { faultAddress: signal.faultAddress }),
    ...(signal?.senderPid !== undefined && { senderPid: signal.senderPid }),
    ...(comm !== undefined && { comm }),
    ...(executable && { exe: shorten(executable.path) }),
    ...(executable?.buildId !== undefined && { exeBuildId: executable.buildId }),
  }
}

/** The key of the crash, by the frames of the crashing thread. */
export function fingerprintOf(analysis: CrashAnalysis): Fingerprint {
  const { facts, executable, crashingStack, isStackOverflow } = analysis
  const name = executable ? programName(executable.path) : (facts.comm ?? '')
  return fingerprint({
    exe: { name, ...(executable?.buildId !== undefined && { buildId: executable.buildId }) },
    signal: facts.signal?.signal ?? facts.threads[0]?.signal ?? 0,
    frames: (crashingStack?.frames ?? []).map(keyFrame),
    isStackOverflow,
  })
}

function keyFrame({ module, vaddr, symbol, trust }: Frame): FingerprintFrame {
  const buildId = module?.buildId
  return {
    ...(module && { module: module.path }),
    ...(buildId !== undefined && { buildId }),
    ...(vaddr !== undefined && { vaddr }),
    ...(symbol !== undefined && { symbol }),
    trust,
  }
}

function problemsOf(analysis: CrashAnalysis): string[] {
  const { facts, architecture, budget, stacks } = analysis
  const order = facts.littleEndian ? '' : ', big-endian'
  const missing = facts.threads.length - stacks.filter((stack) => stack !== undefined).length
  return [
    ...facts.problems,
    ...(architecture === undefined
      ? [`stacks: machine ${facts.machine}, ${facts.bits} bits${order}, is not unwound`]
      : missing > 0
        ? [`stacks of ${missing} threads`]
        : []),
    ...(stacks.length > 0 && !analysis.areNamed ? ['names of functions'] : []),
    ...(budget.isSpent ? ['the time for the analysis was used up'] : []),
  ]
}

function crashingThreadOf(
  analysis: CrashAnalysis,
  modules: ReportModules,
  room: Room,
  left: string[],
): ReportThread | undefined {
  const thread = analysis.facts.threads[0]
  if (thread === undefined) return undefined
  const registers = Object.fromEntries(analysis.architecture?.show(thread.registers) ?? [])
  const stack = analysis.crashingStack
  const frames = (stack?.frames ?? []).map((frame) => reportFrame(frame, modules))
  const gap = gapOf(stack, thread.tid)
  if (gap !== undefined) left.push(gap)
  const before = frames.length
  // the middle of a long stack says least
  while (jsonBytes(frames) > MAX_CRASHING_BYTES) frames.splice(Math.floor(frames.length * 0.75), 8)
  if (frames.length < before) left.push(`${before - frames.length} frames of thread ${thread.tid}`)
  room.used += jsonBytes(registers) + jsonBytes(frames)
  return { tid: thread.tid, registers, frames }
}

function gapOf(stack: Stack | undefined, tid: number): string | undefined {
  return stack?.gapAt === undefined
    ? undefined
    : `frames of thread ${tid} between #${stack.gapAt - 1} and the outermost ones`
}

interface StackGroup {
  readonly threads: number[]
  readonly stack: Stack
}

function groupsOf(
  analysis: CrashAnalysis,
  modules: ReportModules,
  room: Room,
  left: string[],
): ReportGroup[] {
  const groups: ReportGroup[] = []
  let skippedThreads = 0
  let gaps = 0
  for (const { threads, stack } of groupStacks(analysis.stacks.slice(1))) {
    if (room.used > MAX_GROUPS_BYTES) {
      skippedThreads += threads.length
      continue
    }
    if (stack.gapAt !== undefined) gaps += threads.length
    // a long list of threads gives way before the frames do
    const fit = threads.slice(0, Math.max(1, Math.floor((MAX_GROUPS_BYTES - room.used) / 16)))
    skippedThreads += threads.length - fit.length
    const before = room.used
    const frames: ReportFrame[] = []
    for (const frame of stack.frames) {
      if (room.used > MAX_GROUPS_BYTES) break
      const made = reportFrame(frame, modules)
      room.used += jsonBytes(made) + 1
      frames.push(made)
    }
    if (frames.length < stack.frames.length && before > MAX_GROUPS_BYTES / 2) {
      skippedThreads += fit.length
      continue
    }
    room.used += jsonBytes(fit) + 32
    groups.push({ threads: fit, frames })
  }
  if (skippedThreads > 0) left.push(`${skippedThreads} threads are left out, as the report is long`)
  if (gaps > 0) left.push(`frames between innermost and outermost ones of ${gaps} threads`)
  return groups
}

function groupStacks(stacks: readonly (Stack | undefined)[]): StackGroup[] {
  const groups = new Map<string, StackGroup>()
  for (const stack of stacks) {
    if (stack === undefined) continue
    const key = stack.frames.map(({ pc, trust }) => `${pc.toString(36)}${trust}`).join()
    const known = groups.get(key)
    if (known) known.threads.push(stack.tid)
    else groups.set(key, { threads: [stack.tid], stack })
  }
  return [...groups.values()].toSorted((a, b) => b.threads.length - a.threads.length)
}

function reportFrame(frame: Frame, modules: ReportModules): ReportFrame {
  const { pc, vaddr, symbol, plus, trust } = frame
  const module = frame.module && modules.addOfFrame(frame.module)
  return {
    pc: hex(pc),
    ...(module !== undefined && { module }),
    ...(vaddr !== undefined && { offset: hex(vaddr) }),
    ...(symbol !== undefined && { symbol: shorten(symbol, MAX_SYMBOL_CHARACTERS) }),
    ...(plus !== undefined && { plus }),
    trust,
  }
}

/** The modules of a report, each with its place in the list. */
class ReportModules {
  readonly #indexes = new Map<Module, number>()
  readonly #modules: ReportModule[] = []
  readonly #room: Room
  #bytesOfFrames = 0

  constructor(room: Room) {
    this.#room = room
  }

  /** Its index; undefined when the modules of frames take more than their share. */
  addOfFrame(module: Module): number | undefined {
    const before = this.#room.used
    const index = this.add(module, before + MAX_FRAME_MODULES_BYTES - this.#bytesOfFrames)
    this.#bytesOfFrames += this.#room.used - before
    return index
  }

  /** Its index; undefined when the report would be longer than `maxBytes` with it. */
  add(module: Module, maxBytes: number): number | undefined {
    const known = this.#indexes.get(module)
    if (known !== undefined) return known
    const { buildId, problem } = module
    const made = {
      path: shorten(module.path),
      ...(buildId !== undefined && { buildId }),
      start: hex(module.start),
      end: hex(module.end),
      ...(problem !== undefined && { problem: shorten(problem) }),
    }
    const bytes = jsonBytes(made) + 1
    if (this.#room.used + bytes > maxBytes) return undefined
    this.#room.used += bytes
    const index = this.#modules.push(made) - 1
    this.#indexes.set(module, index)
    return index
  }

  list(): readonly ReportModule[] {
    return this.#modules
  }
}

function hex(value: number): string {
  return `0x${value.toString(16)}`
}

/** At most so many characters; what was cut ends with an ellipsis. */
export function shorten(text: string, maxCharacters: number = MAX_PATH_CHARACTERS): string {
  if (text.length <= maxCharacters) return text
  // half of a surrogate pair is no text
  return `${text.slice(0, maxCharacters - 1).replace(/[\uD800-\uDBFF]$/, '')}…`
}

function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}
