import { closeSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  bufferSource,
  CoreStream,
  CrashAnalysis,
  createMinicore,
  createReport,
  fingerprint,
  formatReport,
  MAX_REPORT_BYTES,
  openCore,
  readWindows,
  type CoreFile,
  type OpenModule,
  type Report,
} from '@core-dump-handler/report'
import type { FuzzRandom } from './fuzz-random.ts'
import { hostileCrash } from './hostile-crash.ts'
import { retainedBytes } from './retained-bytes.ts'

/** A crash that is real before it is changed. */
export interface FuzzBase {
  readonly core: Buffer
  /** Path in the core, and the bytes of the file. */
  readonly path: string
  readonly program: Buffer
}

/** Names of what is changed, for messages. */
export const FUZZ_PARTS = ['core', 'module', 'table', 'symbols', 'stream'] as const

/** Of an analysis, and of what it begins with: headers, notes and stacks. */
const LIMIT_MS = 2000
/** Behind its last look at the clock a busy machine may stop the thread. */
const STOPPED_MS = 500
const LIMIT_BYTES = 8 * 1024 * 1024
const EM_AARCH64 = 183
const EXTREMES = [0, 1, 0x7f, 0xff, 0xffff, 0x7fffffff, 0xffffffff, 0x80000000]

/** One round: changes one part of a crash, and checks what a report promises of any input. */
export function fuzzReport(
  part: (typeof FUZZ_PARTS)[number],
  random: FuzzRandom,
  base: FuzzBase,
  directory: string,
): void {
  const isOfModule = part === 'module' || part === 'table' || part === 'symbols'
  const core = isOfModule ? base.core : mutate(random, base.core, headOf(random, base.core))
  // the same bytes as those of another machine
  if (!isOfModule && core.length > 64 && random.once(8)) core.writeUInt16LE(EM_AARCH64, 18)
  const program = isOfModule
    ? mutate(random, base.program, partOf(random, part, base.program))
    : base.program
  const file = join(directory, 'module')
  writeFileSync(file, program)
  const fd = openSync(file, 'r')
  try {
    check(read(random, core, part === 'stream'), (path) => (path === base.path ? fd : undefined))
  } finally {
    closeSync(fd)
  }
}

/** One round of a crash that no program had, in which headers, notes, tables, names and memory lie. */
export function fuzzCrash(random: FuzzRandom, directory: string): void {
  const { core, files } = hostileCrash(random)
  const fds = new Map<string, number>()
  try {
    for (const [path, bytes] of files) {
      const file = join(directory, `module-${fds.size}`)
      writeFileSync(file, bytes)
      fds.set(path, openSync(file, 'r'))
    }
    const isMeasured = random.once(8)
    check(read(random, core, random.once(3)), (path) => fds.get(path), isMeasured)
  } finally {
    for (const fd of fds.values()) closeSync(fd)
  }
}

type Opened = Pick<CoreFile, 'facts' | 'memory'>

/** As a stream, as a file, or as a file of which only stacks are kept. */
function read(random: FuzzRandom, core: Buffer, isStream: boolean): Opened | undefined {
  const clock = startClock()
  const opened = isStream ? streamed(random, core) : openCore(bufferSource(core))
  const isKept = !isStream && random.once(2)
  const memory = opened && isKept ? readWindows(opened.facts, opened.memory) : opened?.memory
  clock.check('to read the core')
  return opened && memory && { facts: opened.facts, memory }
}

function check(opened: Opened | undefined, openModule: OpenModule, isMeasured = false): void {
  if (opened === undefined) return
  const before = isMeasured ? retainedBytes() : 0
  const clock = startClock()
  const analysis = new CrashAnalysis({ ...opened, openModule })
  analysis.unwindCrashingThread()
  analysis.unwindAllThreads()
  analysis.nameFrames()
  const report = createReport(analysis)
  const text = formatReport(report)
  const minicore = createMinicore(analysis)
  clock.check('to analyze it')
  const minicoreBytes = minicore?.length ?? 0
  if (isMeasured) {
    const bytes = retainedBytes() - before - minicoreBytes
    promise(bytes <= LIMIT_BYTES, `the analysis keeps ${bytes} bytes`)
  }
  checkReport(report, text)
  promise(minicoreBytes < LIMIT_BYTES, `the minicore has ${minicoreBytes} bytes`)
  if (minicore && minicore.length > 0) {
    promise(openCore(bufferSource(minicore)) !== undefined, 'the minicore is no core')
  }
  promise(analysis.facts === opened.facts, 'the facts are others')
}

function startClock(): { check(what: string): void } {
  const start = performance.now()
  const before = process.threadCpuUsage()
  return {
    check(what) {
      const { user, system } = process.threadCpuUsage(before)
      const [ms, cpuMs] = [performance.now() - start, (user + system) / 1000]
      promise(
        cpuMs <= LIMIT_MS && ms <= LIMIT_MS + STOPPED_MS,
        `it took ${Math.round(ms)} ms, ${Math.round(cpuMs)} of them running, ${what}`,
      )
    },
  }
}

function checkReport(report: Report, text: string): void {
  const json = JSON.stringify(report)
  promise(Buffer.byteLength(json) <= MAX_REPORT_BYTES, `the report has ${json.length} bytes`)
  promise(JSON.stringify(JSON.parse(json)) === json, 'the report is no JSON')
  const controls = /[\p{Cc}\p{Cf}\u2028\u2029]/u.exec(text.replaceAll('\n', ''))
  promise(controls === null, `the text has a control character at ${controls?.index}`)
  const frames = report.crashingThread?.frames ?? []
  for (const { module } of frames) {
    promise(module === undefined || report.modules[module] !== undefined, 'a module is missing')
  }
  const guess = frames.findIndex(({ trust }) => trust === 'scan')
  const { basis } = report.fingerprint
  promise(guess < 0 || basis.length - 3 <= guess, 'a guess is in the fingerprint')
  promise(/^[0-9a-f]{24}$/.test(report.fingerprint.id), 'the fingerprint has no id')
}

/** Frames with any names. */
export function fuzzFingerprint(random: FuzzRandom): void {
  const symbols = [
    '',
    'a'.repeat(5000),
    '_ZN'.repeat(900),
    'Cs'.repeat(3000),
    '.part'.repeat(900),
    '\0\n',
    '@'.repeat(99),
  ]
  const frames = Array.from({ length: random.below(300) }, () => ({
    ...(random.once(2) && { module: random.pick(symbols) }),
    ...(random.once(2) && { symbol: random.pick(symbols) + random.pick(symbols) }),
    ...(random.once(2) && { vaddr: random.below(9) }),
    trust: random.pick(['cfi', 'scan', 'signal', 'fp'] as const),
  }))
  const before = performance.now()
  const key = fingerprint({
    exe: { name: random.pick(symbols) },
    signal: 11,
    frames,
    isStackOverflow: random.once(2),
  })
  promise(performance.now() - before < 200, 'a fingerprint took too long')
  promise(/^[0-9a-f]{24}$/.test(key.id) && /^[0-9a-f]{24}$/.test(key.family), 'no fingerprint')
}

function promise(isKept: boolean, message: string): void {
  if (!isKept) throw new Error(message)
}

type Range = readonly [start: number, end: number]

function streamed(random: FuzzRandom, core: Buffer): Opened | undefined {
  const stream = new CoreStream()
  for (let at = 0; at < core.length;) {
    const length = 1 + random.below(65_536)
    stream.push(Buffer.from(core.subarray(at, at + length)))
    at += length
  }
  const facts = stream.facts()
  return facts && { facts, memory: stream.memory() }
}

/** Header, program headers and notes: up to the first memory. */
function headOf(random: FuzzRandom, core: Buffer): Range {
  const notesEnd = Number(core.readBigUInt64LE(64 + 8) + core.readBigUInt64LE(64 + 32))
  return random.once(4) ? [0, 64] : random.once(3) ? [0, core.length] : [0, notesEnd]
}

function partOf(random: FuzzRandom, part: (typeof FUZZ_PARTS)[number], elf: Buffer): Range {
  const shoff = Number(elf.readBigUInt64LE(40))
  if (part === 'module') return random.once(2) ? [0, 4096] : [shoff, elf.length]
  const names =
    part === 'table' ? ['.eh_frame', '.eh_frame_hdr'] : ['.symtab', '.strtab', '.gopclntab']
  return sectionRange(elf, shoff, random.pick(names)) ?? [0, elf.length]
}

function sectionRange(elf: Buffer, shoff: number, wanted: string): Range | undefined {
  const field = (index: number, at: number): number =>
    Number(elf.readBigUInt64LE(shoff + index * 64 + at))
  const names = field(elf.readUInt16LE(62), 24)
  for (let index = 0; index < elf.readUInt16LE(60); index++) {
    const at = names + elf.readUInt32LE(shoff + index * 64)
    if (elf.toString('latin1', at, elf.indexOf(0, at)) !== wanted) continue
    return [field(index, 24), field(index, 24) + field(index, 32)]
  }
  return undefined
}

/** A few bytes or numbers of this range are others, and at times the end is missing. */
function mutate(random: FuzzRandom, bytes: Buffer, [start, end]: Range): Buffer {
  const changed = Buffer.from(bytes)
  const length = Math.max(1, end - start)
  for (let left = 1 + random.below(random.once(3) ? 200 : 8); left > 0; left--) {
    const at = Math.min(start + random.below(length), changed.length - 8)
    if (at < 0) break
    const kind = random.below(4)
    if (kind === 0) changed[at] = random.below(256)
    else if (kind === 1) changed.writeUInt32LE(random.pick(EXTREMES), at)
    else if (kind === 2)
      changed.fill(
        random.pick([0, 0xff, 0x41]),
        at,
        Math.min(changed.length, at + random.below(300)),
      )
    else changed.copyWithin(at, start + random.below(length), start + random.below(length) + 64)
  }
  return random.once(8) ? changed.subarray(0, random.below(changed.length)) : changed
}
