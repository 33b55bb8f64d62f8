import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { coreImage } from '@core-dump-handler/testing/core-image'
import { fuzzRandom } from '@core-dump-handler/testing/report/fuzz-random'
import { hostileModule } from '@core-dump-handler/testing/report/hostile-module'
import { madeCore, type MadeCoreOptions } from '@core-dump-handler/testing/report/made-core'
import { retainedBytes } from '@core-dump-handler/testing/report/retained-bytes'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  bufferSource,
  CrashAnalysis,
  createMinicore,
  createReport,
  formatReport,
  MAX_REPORT_BYTES,
  openCore,
  openCoreFile,
  type CoreFile,
  type OpenModule,
  type Report,
} from './index.ts'

const LIMIT_MS = 2000
const SPARSE_BYTES = 2 ** 40
const CODE_AT = 0x400000
const STACK_AT = 0x7ff000000000
/** In user_regs_struct. */
const [RIP, RSP] = [16, 19]

interface Analyzed {
  readonly analysis: CrashAnalysis
  readonly report: Report
  readonly minicore: Buffer | undefined
  readonly ms: number
}

function analyze({ facts, memory }: CoreFile, openModule: OpenModule = () => undefined): Analyzed {
  const start = performance.now()
  const analysis = new CrashAnalysis({ facts, memory, openModule })
  analysis.unwindCrashingThread()
  analysis.unwindAllThreads()
  analysis.nameFrames()
  const report = createReport(analysis)
  formatReport(report)
  const minicore = createMinicore(analysis)
  return { analysis, report, minicore, ms: performance.now() - start }
}

function made(options: MadeCoreOptions, openModule?: OpenModule): Analyzed {
  const core = openCore(bufferSource(madeCore(options)))
  if (core === undefined) throw new Error('no core')
  return analyze(core, openModule)
}

const THREAD = new Map([
  [RIP, CODE_AT + 16],
  [RSP, STACK_AT + 256],
])
const CODE = { vaddr: CODE_AT, flags: 5, bytes: Buffer.alloc(4096, 0xe8) }
const STACK = { vaddr: STACK_AT, flags: 6, bytes: Buffer.alloc(65_536) }
const LINE = { start: CODE_AT, end: CODE_AT + 4096, offset: 0, path: '/bin/program' }

describe('the worst input', () => {
  let directory: string
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'report-worst-'))
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  function fileOf(bytes: Buffer): number {
    const path = join(directory, 'module')
    writeFileSync(path, bytes)
    return openSync(path, 'r')
  }

  function sparse(head: Buffer): CoreFile | undefined {
    const path = join(directory, 'sparse')
    writeFileSync(path, head)
    const fd = openSync(path, 'r+')
    try {
      ftruncateSync(fd, SPARSE_BYTES)
      const section = Buffer.alloc(64)
      section.writeUInt32LE(0xffffffff, 44)
      writeSync(fd, section, 0, 64, SPARSE_BYTES - 64)
      const start = performance.now()
      const core = openCoreFile(fd)
      expect(performance.now() - start).toBeLessThan(LIMIT_MS)
      return core
    } finally {
      closeSync(fd)
    }
  }

  it('may be a table of four billion segments in a sparse file', () => {
    const head = coreImage({ bits: 64, byteOrder: 'little', segments: [0] })
    head.writeUInt16LE(0xffff, 56)
    head.writeBigUInt64LE(BigInt(SPARSE_BYTES - 64), 40)
    head.writeBigUInt64LE(BigInt(SPARSE_BYTES), 64 + 8)
    expect(sparse(head)?.facts.problems.join()).toContain('program headers beyond 1048576')
  })

  it.for([
    { what: 'a hole', desc: 0 },
    { what: 'notes of 1 GiB', desc: 2 ** 30 },
  ])('may be a terabyte of notes in a sparse file: $what', ({ desc }) => {
    const head = Buffer.alloc(120 + 20)
    coreImage({ bits: 64, byteOrder: 'little', segments: [20] }).copy(head)
    head.writeBigUInt64LE(BigInt(SPARSE_BYTES - 4096), 64 + 32)
    head.writeUInt32LE(5, 120)
    head.writeUInt32LE(desc, 124)
    head.write('CORE\0\0\0\0', 132)
    expect(sparse(head)?.facts.problems).toContain('notes are left out, as there are too many')
  })

  it.for(['.1', '/.1', '-1.so', '/ld-linux-', '\u{1f4a5}', '\x1b'])(
    'may be a path of a million characters: %j',
    (part) => {
      const path = `/${part.repeat(Math.ceil(1_000_000 / part.length))}x`
      const { report, ms } = made({
        segments: [CODE, STACK],
        threads: [THREAD],
        files: [{ ...LINE, path }],
      })
      expect(ms).toBeLessThan(LIMIT_MS)
      expect(Buffer.byteLength(JSON.stringify(report))).toBeLessThan(MAX_REPORT_BYTES)
    },
  )

  it.for(['.1', '-1.', '/ld-linux-', '\x1b'])(
    'may be a path as long as a path can be: %j',
    (part) => {
      const path = `/${part.repeat(4090 / part.length - 2)}x`
      const { report, ms } = made({
        segments: [CODE, STACK],
        threads: [THREAD],
        files: [{ ...LINE, path }],
      })
      expect(ms).toBeLessThan(LIMIT_MS / 4)
      expect(report.modules.length).toBe(1)
    },
  )

  it('may be one range of memory that is listed 4,000 times', () => {
    const text = Buffer.alloc(65_536)
    coreImage({ bits: 64, byteOrder: 'little', segments: [0] }).copy(text)
    // stacks in code, so that ranges of both overlap
    const threads = Array.from(
      { length: 40 },
      (_, index) => new Map([[RSP, CODE_AT + 1024 * (index + 1)]]),
    )
    const files = Array.from({ length: 4000 }, () => ({ ...LINE, end: CODE_AT + 65_536 }))
    const { minicore, ms } = made({
      segments: [{ ...CODE, flags: 7, bytes: text }],
      threads,
      files,
    })
    expect(ms).toBeLessThan(LIMIT_MS)
    expect(minicore && openCore(bufferSource(minicore))?.facts.segments.length).toBeLessThan(100)
  })

  it('may be a program whose headers put its parts behind all memory', () => {
    const program = Buffer.alloc(4096)
    coreImage({ bits: 64, byteOrder: 'little', segments: [0, 0, 0] }).copy(program)
    const header = (at: number, type: number, vaddr: number): void => {
      program.writeUInt32LE(type, at)
      const fields = [
        [8, 2048],
        [16, vaddr],
        [32, 4096],
        [40, 4096],
      ] as const
      for (const [field, value] of fields) program.writeBigUInt64LE(BigInt(value), at + field)
    }
    header(64, 1, 0)
    header(120, 2, 2 ** 64 - 4096)
    header(176, 1, 2 ** 64 - 4096)
    program.writeBigUInt64LE(21n, 2048)
    const fd = fileOf(program)
    const segments = [{ ...CODE, bytes: program }, STACK]
    const auxv = [[9, CODE_AT]] as const
    expect(() => made({ segments, threads: [THREAD], files: [LINE], auxv }, () => fd)).not.toThrow()
    closeSync(fd)
  })

  it('may be 512 modules of 1,024 sections each', () => {
    // with many sections
    const random = { ...fuzzRandom(1), once: (times: number) => times === 8 }
    const module = hostileModule(random)
    // it has no notes but those of a section
    module.writeUInt32LE(0, 64 + 2 * 56)
    const fd = fileOf(module)
    const bytes = module.subarray(0, 4096)
    const places = Array.from({ length: 512 }, (_, index) => CODE_AT + index * 4096)
    const segments = places.map((vaddr) => ({ vaddr, flags: 5, bytes }))
    const files = places.map((start, index) => ({
      start,
      end: start + 4096,
      offset: 0,
      path: `/${index}`,
    }))
    const core = openCore(bufferSource(madeCore({ segments, threads: [THREAD], files })))
    const before = retainedBytes()
    const result = core && analyze(core, () => fd)
    expect(retainedBytes() - before).toBeLessThan(8 * 1024 * 1024)
    expect(result?.analysis.modules.modules.length).toBe(512)
    expect(result?.ms).toBeLessThan(LIMIT_MS)
    closeSync(fd)
  })

  it('may be a stack of 500 KiB on which signal interrupts signal, without an end', () => {
    const code = Buffer.alloc(4096, 0xe8)
    Buffer.from('48c7c00f0000000f05', 'hex').copy(code, 16)
    const stack = Buffer.alloc(1024 * 1024)
    const far = 500 * 1024
    const word = (at: number, value: number): void => void stack.writeBigUInt64LE(BigInt(value), at)
    // what a signal interrupted is a function whose frame ends far above, where the next signal is
    for (const at of [0, far + 16]) {
      word(at + 40 + 10 * 8, STACK_AT + far)
      word(at + 40 + 15 * 8, STACK_AT)
      word(at + 40 + 16 * 8, CODE_AT + 200)
    }
    word(far, STACK_AT + far + 4096)
    word(far + 8, CODE_AT + 16)
    const registers = new Map([
      [RIP, CODE_AT + 16],
      [RSP, STACK_AT],
    ])
    const threads = Array.from({ length: 200 }, () => registers)
    const segments = [
      { ...CODE, bytes: code },
      { ...STACK, bytes: stack },
    ]
    const before = process.memoryUsage().arrayBuffers
    const { report, minicore, ms } = made({ segments, threads })
    expect(report.crashingThread?.frames.slice(0, 4).map(({ trust }) => trust)).toEqual([
      'context',
      'signal',
      'fp',
      'signal',
    ])
    expect(ms).toBeLessThan(LIMIT_MS)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 * 1024)
    expect(minicore?.length).toBeLessThan(4.5 * 1024 * 1024)
  })
})
