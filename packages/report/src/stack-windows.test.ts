import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { analyzeCore, symbolsOf } from '@core-dump-handler/testing/report/analyze-core'
import { crashCore } from '@core-dump-handler/testing/report/crash-core'
import { gdbBacktraces } from '@core-dump-handler/testing/report/debuggers'
import { compile, missingTools, programSource } from '@core-dump-handler/testing/report/programs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MAX_REPORT_BYTES, WINDOW_LIMITS } from './index.ts'

const missing = missingTools('gcc', 'gdb')
const LIMITS = { limits: WINDOW_LIMITS }

const CANARIES = [
  'HEAP_CANARY_77',
  'ENVIRONMENT_CANARY_77',
  'ARGUMENT_CANARY_77',
  'STACK_CANARY_77',
]

function canariesIn(bytes: Buffer): string[] {
  return CANARIES.filter((canary) => bytes.includes(canary))
}

describe.skipIf(missing)(`stacks${missing === undefined ? '' : `: ${missing}`}`, () => {
  let directory: string
  let program: string

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'report-stacks-'))
    program = join(directory, 'crash')
    const options = [
      '-O1',
      '-g',
      '-pthread',
      '-fno-stack-protector',
      '-fno-optimize-sibling-calls',
      '-w',
    ]
    compile(directory, 'gcc', [...options, '-o', program, programSource('crash.c')])
    compile(directory, 'gcc', [...options, '-static', '-o', 'static', programSource('crash.c')])
  })

  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  const crash = (mode: string, ...arguments_: readonly string[]) =>
    crashCore(directory, [program, mode, ...arguments_])

  it.for([
    { mode: 'overflow', name: 'recurse', last: '_start' },
    { mode: 'overflow-wide', name: 'recurse_wide', last: '_start' },
    { mode: 'overflow-in-thread', name: 'recurse', last: '??' },
    { mode: 'overflow-on-stack', name: 'recurse', last: '_start' },
  ])(
    'have their innermost 100 and outermost frames when they are used up: $mode',
    async ({ mode, name, last }) => {
      const core = await crash(mode)
      for (const options of [LIMITS, {}]) {
        const { stacks, analysis, report, text } = analyzeCore(core, options)
        const names = symbolsOf(stacks[0])
        const recursion = names.filter((symbol) => symbol === name).length
        expect(recursion).toBeGreaterThan(100)
        expect(names.at(-1)).toBe(last)
        expect(names).toContain(mode === 'overflow-in-thread' ? 'recurse_in_thread' : 'main')
        expect(analysis.isStackOverflow).toBe(true)
        expect(report.skipped.join()).toContain('frames of thread')
        expect(text.split('\n')[0]).toContain(': stack overflow')
      }
    },
  )

  it('have one fingerprint for each place, whatever the addresses are', async () => {
    const keys = new Map<string, Set<string>>()
    for (const mode of [
      'here',
      'there',
      'overflow',
      'overflow-on-stack',
      'free-twice',
      'handler-on-stack',
    ]) {
      const ids = new Set<string>()
      for (let round = 0; round < 3; round++)
        ids.add(analyzeCore(await crash(mode), LIMITS).report.fingerprint.id)
      keys.set(mode, ids)
    }
    expect([...keys.values()].map((ids) => ids.size)).toEqual(Array(keys.size).fill(1))
    expect(new Set([...keys.values()].flatMap((ids) => [...ids])).size).toBe(keys.size)
  }, 240_000)

  it('of 1,001 threads fit a report of 100 KiB, each of them complete', async () => {
    const core = await crash('threads', '1000')
    const { stacks, report, minicore } = analyzeCore(core, LIMITS)
    expect(stacks.length).toBe(1002)
    expect(stacks.filter((stack) => stack?.isComplete !== true).length).toBe(0)
    expect(Buffer.byteLength(JSON.stringify(report))).toBeLessThan(MAX_REPORT_BYTES)
    expect(report.groups.reduce((sum, { threads }) => sum + threads.length, 0)).toBe(1001)
    expect(report.groups.length).toBeLessThan(8)
    expect(minicore.length).toBeLessThan(2 * 1024 * 1024)
    writeFileSync(join(directory, 'mini'), minicore)
    expect(gdbBacktraces(program, join(directory, 'mini'))).toEqual(gdbBacktraces(program, core))
  }, 240_000)

  it.for(['crash', 'static'])('keep no heap, environment or arguments: %s', async (name) => {
    const env = { SECRET: 'ENVIRONMENT_CANARY_77' }
    const command = [join(directory, name), 'secrets', 'ARGUMENT_CANARY_77']
    const core = await crashCore(directory, command, { env })
    expect(canariesIn(readFileSync(core))).toEqual(CANARIES)
    const { report, text, minicore } = analyzeCore(core, LIMITS)
    // what lies in a frame is what a debugger is for
    expect(canariesIn(minicore)).toEqual(['STACK_CANARY_77'])
    expect(canariesIn(Buffer.from(text + JSON.stringify(report)))).toEqual([])
  })
})
