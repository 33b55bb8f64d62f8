import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { analyzeCore, pcsOf, symbolsOf } from '@core-dump-handler/testing/report/analyze-core'
import { crashCore } from '@core-dump-handler/testing/report/crash-core'
import {
  euStackFrames,
  gdbBacktraces,
  gdbFrames,
  gdbOutermostFrames,
} from '@core-dump-handler/testing/report/debuggers'
import { compile, missingTools, programSource } from '@core-dump-handler/testing/report/programs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WINDOW_LIMITS, type Stack } from './index.ts'

const missing = missingTools('gcc', 'musl-gcc', 'gdb', 'eu-stack')
const LIMITS = { limits: WINDOW_LIMITS }

/** The frames before the gap and before the first guess. */
function sureInnermost({ frames, gapAt = frames.length }: Stack): string[] {
  const guess = frames.findIndex(({ trust }) => trust === 'scan')
  return frames
    .slice(0, guess < 0 ? gapAt : Math.min(gapAt, guess))
    .map(({ pc }) => `0x${pc.toString(16)}`)
}

describe.skipIf(missing)(`long stacks${missing === undefined ? '' : `: ${missing}`}`, () => {
  let directory: string
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'report-long-'))
    const options = ['-O1', '-w', '-fno-stack-protector', '-fno-optimize-sibling-calls']
    compile(directory, 'gcc', [...options, '-pthread', '-o', 'glibc', programSource('crash.c')])
    compile(directory, 'musl-gcc', [...options, '-static', '-o', 'musl', programSource('crash.c')])
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  /** How many lines of gdb are the same from the minicore as from the core. */
  function equalLines(program: string, minicore: Buffer, expected: readonly string[]): number {
    const mini = join(directory, 'mini')
    writeFileSync(mini, minicore)
    const ours = gdbBacktraces(program, mini)
    const different = expected.findIndex((line, index) => line !== ours[index])
    return different < 0 ? expected.length : different
  }

  it.for([
    { name: 'glibc', mode: 'overflow', lines: 400 },
    // of frames of 16 KiB a minicore keeps half a MiB
    { name: 'glibc', mode: 'overflow-wide', lines: 30 },
    { name: 'glibc', mode: 'overflow-in-thread', lines: 400 },
    { name: 'glibc', mode: 'overflow-on-stack', lines: 400 },
    { name: 'musl', mode: 'overflow', lines: 400 },
  ])('of $mode ($name) begin as those of gdb and eu-stack', async ({ name, mode, lines }) => {
    const program = join(directory, name)
    const core = await crashCore(directory, [program, mode])
    const gdb = gdbFrames(program, core)
    const eu = euStackFrames(program, core)
    const backtraces = gdbBacktraces(program, core)
    for (const options of [LIMITS, {}]) {
      const { stacks, minicore } = analyzeCore(core, options)
      for (const stack of stacks) {
        const ours = stack ? sureInnermost(stack) : []
        if (stack === stacks[0]) expect(ours.length).toBeGreaterThan(100)
        // of both only the first 400 frames are asked for
        for (const theirs of [gdb, eu]) {
          const found = theirs.find(({ tid }) => tid === stack?.tid)
          expect(ours).toEqual(found?.pcs.slice(0, ours.length))
        }
      }
      expect(equalLines(program, minicore, backtraces)).toBeGreaterThan(lines)
    }
  })

  it('end as those of gdb, 130,000 frames further out', async () => {
    const program = join(directory, 'glibc')
    const core = await crashCore(directory, [program, 'overflow'])
    const [stack] = analyzeCore(core, LIMITS).stacks
    const outermost = pcsOf(stack).slice(stack?.gapAt)
    expect(outermost.length).toBe(32)
    expect(outermost).toEqual(gdbOutermostFrames(program, core, 32))
    expect(symbolsOf(stack).at(-1)).toBe('_start')
  })

  it('of 1,001 threads are those of gdb and eu-stack, every frame', async () => {
    const program = join(directory, 'glibc')
    const core = await crashCore(directory, [program, 'threads', '1000'])
    const { stacks } = analyzeCore(core, LIMITS)
    const ours = new Map(stacks.map((stack) => [stack?.tid, pcsOf(stack)]))
    expect(ours.size).toBe(1002)
    for (const theirs of [gdbFrames(program, core), euStackFrames(program, core)]) {
      expect(new Map(theirs.map(({ tid, pcs }) => [tid, pcs]))).toEqual(ours)
    }
  }, 120_000)
})
