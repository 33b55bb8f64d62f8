import { closeSync, copyFileSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  analyze,
  analyzeCore,
  type AnalyzedCore,
} from '@core-dump-handler/testing/report/analyze-core'
import { crashCore } from '@core-dump-handler/testing/report/crash-core'
import { schemaErrors, type JsonSchema } from '@core-dump-handler/testing/report/json-schema'
import { compile, missingTools, programSource } from '@core-dump-handler/testing/report/programs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  bufferSource,
  CrashAnalysis,
  createReport,
  fingerprint,
  formatReport,
  MAX_REPORT_BYTES,
  openCore,
  openCoreFile,
  WindowMemory,
  type FingerprintFrame,
  type Frame,
} from '../index.ts'

const missing = missingTools('gcc')
const SCHEMA: JsonSchema = JSON.parse(
  readFileSync(new URL('../../schema/report.schema.json', import.meta.url), 'utf8'),
)

describe.skipIf(missing)(`report${missing === undefined ? '' : `: ${missing}`}`, () => {
  let directory: string
  let program: string
  let path: string
  let core: AnalyzedCore

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'report-report-'))
    program = join(directory, 'crash')
    compile(directory, 'gcc', ['-O1', '-w', '-pthread', '-o', program, programSource('crash.c')])
    path = await crashCore(directory, [program, 'threads', '4'])
    core = analyzeCore(path)
  }, 240_000)

  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  it('names signal, place and build', () => {
    const { crash, crashingThread, modules, skipped } = core.report
    expect(crash).toEqual({
      signal: 11,
      signalName: 'SIGSEGV',
      code: 1,
      codeName: 'SEGV_MAPERR',
      faultAddress: '0x0',
      comm: 'crash',
      exe: program,
      exeBuildId: core.report.fingerprint.basis[1]?.replace('exe ', ''),
    })
    expect(crashingThread?.frames[0]).toMatchObject({ symbol: 'crash_here', trust: 'context' })
    expect(modules[crashingThread?.frames[0]?.module ?? -1]?.path).toBe(program)
    expect(crashingThread?.registers['rip']).toBe(crashingThread?.frames[0]?.pc)
    expect(skipped).toEqual([])
  })

  it('names the process that sent the signal', async () => {
    const scratch = mkdtempSync(join(directory, 'sender-'))
    const script = 'echo $$ > sender; "$0" later & sleep 0.5; kill -ABRT $!; wait'
    const { report, text } = analyzeCore(await crashCore(scratch, ['sh', '-c', script, program]))
    const sender = Number(readFileSync(join(scratch, 'sender'), 'utf8'))
    expect(report.crash).toMatchObject({ signalName: 'SIGABRT', code: 0, codeName: 'SI_USER' })
    expect(report.crash.senderPid).toBe(sender)
    expect(text.split('\n')[0]).toBe(`crash crashed: SIGABRT (SI_USER), sent by pid ${sender}`)
    expect(schemaErrors(SCHEMA, JSON.parse(JSON.stringify(report)))).toEqual([])
  })

  it('fits its schema', () => {
    expect(schemaErrors(SCHEMA, JSON.parse(JSON.stringify(core.report)))).toEqual([])
  })

  it('puts threads with the same stack together', () => {
    const sizes = core.report.groups.map(({ threads }) => threads.length)
    expect(sizes.toSorted((a, b) => b - a)).toEqual(sizes)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(5)
    expect(sizes[0]).toBe(2)
  })

  it('is the same in lines for a person', () => {
    const lines = core.text.split('\n')
    expect(lines[0]).toBe('crash crashed: SIGSEGV (SEGV_MAPERR) at address 0x0')
    expect(lines.some((line) => /^#0 {3}crash_here\+0x[0-9a-f]+ {2}crash\+0x/.test(line))).toBe(
      true,
    )
    expect(lines.filter((line) => line.startsWith('2 threads with the same stack: ')).length).toBe(
      2,
    )
  })

  it('can be made after each step', () => {
    const fd = openSync(path, 'r')
    const opened = openCoreFile(fd)
    if (opened === undefined) throw new Error('no core')
    const analysis = new CrashAnalysis(opened)
    const facts = createReport(analysis, ['storm: registers only'])
    expect(facts.crashingThread?.frames).toEqual([])
    expect(facts.skipped).toEqual(['storm: registers only', 'stacks of 6 threads'])
    analysis.unwindCrashingThread()
    expect(createReport(analysis).groups).toEqual([])
    expect(createReport(analysis).skipped).toContain('stacks of 5 threads')
    expect(createReport(analysis).skipped).toContain('names of functions')
    closeSync(fd)
  })

  it('does not use a file that another build replaced', async () => {
    const other = join(directory, 'other')
    copyFileSync(program, other)
    const scratch = mkdtempSync(join(directory, 'other-'))
    const crashed = await crashCore(scratch, [other, 'sort'])
    compile(directory, 'gcc', ['-O0', '-w', '-pthread', '-o', other, programSource('crash.c')])
    const { report } = analyzeCore(crashed)
    const module = report.modules.find((entry) => entry.path === other)
    expect(module?.problem).toMatch(/^its file has build-id [0-9a-f]+, not [0-9a-f]+$/)
    expect(report.crashingThread?.frames[0]).toMatchObject({ trust: 'context' })
    expect(report.crashingThread?.frames[0]?.symbol).toBeUndefined()
    expect(report.crash.exeBuildId).toBe(module?.buildId)
  })

  it('has the same key when the program has been deleted before it crashed', async () => {
    const scratch = mkdtempSync(join(directory, 'deleted-'))
    const crashed = await crashCore(scratch, [
      'sh',
      '-c',
      'cp "$0" gone; (sleep 1; rm gone) & ./gone later',
      program,
    ])
    const { report } = analyzeCore(crashed)
    expect(report.crash.exe).toBe(`${scratch}/gone (deleted)`)
    const named = { name: 'gone', buildId: report.crash.exeBuildId ?? '' }
    const frames: FingerprintFrame[] = [{ module: `${scratch}/gone`, trust: 'context' }]
    const deleted: FingerprintFrame[] = [{ module: `${scratch}/gone (deleted)`, trust: 'context' }]
    const key = fingerprint({ exe: named, signal: 11, frames })
    expect(fingerprint({ exe: named, signal: 11, frames: deleted })).toEqual(key)
    expect(report.fingerprint.basis[1]).toBe(`exe ${report.crash.exeBuildId}`)
  })

  it('has the facts of a machine whose stacks are not unwound', () => {
    const bytes = readFileSync(path)
    bytes.writeUInt16LE(243, 18)
    const opened = openCore(bufferSource(bytes))
    if (opened === undefined) throw new Error('no core')
    const { report, minicore } = analyze(opened.facts, opened.memory)
    expect(report.crash).toMatchObject({ signalName: 'SIGSEGV', comm: 'crash' })
    expect(report.skipped).toContain('stacks: machine 243, 64 bits, is not unwound')
    expect(minicore.length).toBe(0)
    expect(schemaErrors(SCHEMA, JSON.parse(JSON.stringify(report)))).toEqual([])
  })

  it('escapes in text what the crashed program chose', () => {
    const evil = 'a\nThread 1, which crashed:\u202e\u001b[31m\u2028'
    const frames = [
      { pc: '0x1', module: 0, offset: '0x1', symbol: evil, plus: 1, trust: 'cfi' },
    ] as const
    const text = formatReport({
      ...core.report,
      crash: { ...core.report.crash, comm: evil, exe: evil },
      modules: [{ path: evil, start: '0x0', end: '0x1', problem: evil }],
      crashingThread: { tid: 1, registers: {}, frames },
    })
    expect(/[\p{Cc}\p{Cf}\u2028]/u.test(text.replaceAll('\n', ''))).toBe(false)
    expect(text.match(/^Thread 1, which crashed:$/gm)?.length).toBe(1)
  })

  it('is never longer than 100 KiB', () => {
    const fd = openSync(path, 'r')
    const opened = openCoreFile(fd)
    if (opened === undefined) throw new Error('no core')
    // 1,500 threads, each with a stack of its own and long names
    const threads = Array.from({ length: 1500 }, (_, index) => ({
      tid: index + 1,
      signal: 0,
      registers: opened.facts.threads[0]?.registers ?? Buffer.alloc(0),
    }))
    const facts = { ...opened.facts, threads }
    const analysis = new CrashAnalysis({ facts, memory: new WindowMemory() })
    analysis.unwindAllThreads()
    analysis.stacks.forEach((stack, index) => {
      const frames = Array.from({ length: 20 }, (_, depth): Frame => {
        const symbol = `_ZN${'x'.repeat(900)}${depth}`
        return { pc: index * 4096 + depth, sp: 0, trust: 'cfi', isExact: false, symbol, plus: 3 }
      })
      if (stack) Object.assign(stack, { frames })
    })
    const report = createReport(analysis)
    expect(Buffer.byteLength(JSON.stringify(report))).toBeLessThanOrEqual(MAX_REPORT_BYTES)
    expect(report.skipped.join()).toMatch(/\d+ threads are left out, as the report is long/)
    closeSync(fd)
  })
})
