import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { analyzeCore, pcsOf, symbolsOf } from '@core-dump-handler/testing/report/analyze-core'
import { crashCore } from '@core-dump-handler/testing/report/crash-core'
import {
  euStackFrames,
  gdbBacktraces,
  gdbFrames,
} from '@core-dump-handler/testing/report/debuggers'
import { compile, missingTools, programSource } from '@core-dump-handler/testing/report/programs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Stack } from './index.ts'

const missing = missingTools('gcc', 'g++', 'gdb', 'eu-stack', 'musl-gcc')
const SORT = ['crash_here', 'level', 'level', 'level', 'level', 'level', 'level', 'compare']

interface Case {
  readonly name: string
  readonly program: string
  readonly mode: string
  readonly arguments_?: readonly string[]
  /** Names of the crashing thread's frames, from the first of these on. */
  readonly frames: readonly string[]
  /** eu-stack ends at the handler in some versions: what it has is the beginning of ours. */
  readonly isCutByEuStack?: boolean
}

const CASES: readonly Case[] = [
  { name: 'a fault below qsort', program: 'crash', mode: 'sort', frames: SORT },
  {
    name: 'a thread among nine',
    program: 'crash',
    mode: 'threads',
    arguments_: ['8'],
    frames: SORT,
  },
  { name: 'a stripped program', program: 'stripped', mode: 'sort', frames: ['??', '??'] },
  { name: 'a program at a fixed address', program: 'fixed', mode: 'sort', frames: SORT },
  { name: 'a static program of glibc', program: 'static', mode: 'sort', frames: SORT },
  {
    name: 'a thread of a static program',
    program: 'static',
    mode: 'threads',
    arguments_: ['3'],
    frames: SORT,
  },
  { name: 'a double free', program: 'crash', mode: 'free-twice', frames: ['free_twice', 'main'] },
  {
    name: 'a smashed stack',
    program: 'protected',
    mode: 'smash',
    arguments_: ['0123456789abcdef0123456789abcdef'],
    frames: ['__stack_chk_fail', 'smash'],
  },
  {
    name: 'a plugin',
    program: 'crash',
    mode: 'plugin',
    frames: ['plugin_inner', 'plugin_crash', 'main'],
  },
  {
    name: 'a handler on the same stack',
    program: 'crash',
    mode: 'handler',
    frames: ['abort', 'handle_by_abort', '??', ...SORT],
  },
  {
    name: 'a handler on a stack of its own',
    program: 'crash',
    mode: 'handler-on-stack',
    frames: ['abort', 'handle_by_abort', '??', ...SORT],
    isCutByEuStack: true,
  },
  {
    name: 'an exception that is not caught',
    program: 'cpp',
    mode: 'throw',
    frames: ['_ZSt9terminatev', '__cxa_throw'],
  },
  {
    name: 'a virtual call on null',
    program: 'cpp',
    mode: 'virtual',
    frames: ['_ZN4shop7priceOfEPNS_5OrderE', 'main'],
  },
]

/** Both debuggers have the frames before our first guess, and go on where no code is, or end. */
function expectSameUpToGuess(stack: Stack | undefined, program: string, core: string): void {
  const guess = stack?.frames.findIndex(({ trust }) => trust === 'scan') ?? -1
  expect(guess).toBeGreaterThan(2)
  for (const theirs of [gdbFrames(program, core), euStackFrames(program, core)]) {
    expect(theirs[0]?.pcs.slice(0, guess)).toEqual(pcsOf(stack).slice(0, guess))
  }
}

describe.skipIf(missing)(`native crashes${missing === undefined ? '' : `: ${missing}`}`, () => {
  let directory: string

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'report-native-'))
    const c = programSource('crash.c')
    const common = ['-O1', '-g', '-pthread', '-fno-stack-protector', '-w']
    compile(directory, 'gcc', [...common, '-o', 'crash', c])
    compile(directory, 'gcc', [...common, '-s', '-o', 'stripped', c])
    compile(directory, 'gcc', [...common, '-no-pie', '-o', 'fixed', c])
    compile(directory, 'gcc', [...common, '-static', '-o', 'static', c])
    compile(directory, 'gcc', ['-O1', '-w', '-fstack-protector-all', '-o', 'protected', c])
    const framePointers = ['-fno-asynchronous-unwind-tables', '-fno-omit-frame-pointer']
    compile(directory, 'gcc', [...common, ...framePointers, '-o', 'pointers', c])
    compile(directory, 'musl-gcc', ['-O1', '-w', '-static', '-o', 'musl', c])
    compile(directory, 'gcc', [
      '-O1',
      '-shared',
      '-fPIC',
      '-o',
      'plugin.so',
      programSource('plugin.c'),
    ])
    compile(directory, 'g++', ['-O1', '-g', '-pthread', '-o', 'cpp', programSource('crash.cpp')])
  })

  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  const crash = (program: string, mode: string, arguments_: readonly string[] = []) =>
    crashCore(directory, [join(directory, program), mode, ...arguments_])

  function expectSameBacktraces(program: string, core: string, minicore: Buffer): void {
    expect(minicore.length).toBeLessThan(250 * 1024)
    writeFileSync(join(directory, 'mini'), minicore)
    expect(gdbBacktraces(program, join(directory, 'mini'))).toEqual(gdbBacktraces(program, core))
  }

  it.for(CASES)('unwinds $name as gdb and eu-stack do', async (example) => {
    const plugin = example.mode === 'plugin' ? [join(directory, 'plugin.so')] : undefined
    const core = await crash(example.program, example.mode, plugin ?? example.arguments_)
    const program = join(directory, example.program)
    const { stacks, report, minicore } = analyzeCore(core)
    const names = symbolsOf(stacks[0])
    const first = names.indexOf(example.frames[0] ?? '')
    expect(names.slice(first, first + example.frames.length)).toEqual(example.frames)
    expectSameBacktraces(program, core, minicore)
    if (example.mode === 'smash') {
      // the return address is no more: both go on there, and what we find behind it is marked
      expectSameUpToGuess(stacks[0], program, core)
      expect(names.at(-1)).toBe('_start')
      return
    }
    const ours = stacks.map((stack) => ({ tid: stack?.tid, pcs: pcsOf(stack) }))
    expect(ours).toEqual(gdbFrames(program, core))
    // it ends at the first frame that it has no table for: that of a thread that is being made
    const theirs = euStackFrames(program, core)
    expect(theirs.length).toBe(ours.length)
    for (const { tid, pcs } of theirs) {
      expect(ours.find((thread) => thread.tid === tid)?.pcs.slice(0, pcs.length)).toEqual(pcs)
    }
    const crashing = theirs.find(({ tid }) => tid === ours[0]?.tid)?.pcs
    if (example.isCutByEuStack !== true) expect(crashing).toEqual(ours[0]?.pcs)
    expect(report.crashingThread?.frames.every(({ trust }) => trust !== 'scan')).toBe(true)
    expect(report.fingerprint.quality).not.toBe('none')
  })

  it('follows frame pointers where there is no unwind table', async () => {
    const { stacks } = analyzeCore(await crash('pointers', 'sort'))
    const frames = stacks[0]?.frames ?? []
    // the first function has no frame of its own, so that its caller is not on the chain
    expect(symbolsOf(stacks[0]).slice(0, 6)).toEqual(['crash_here', ...SORT.slice(2, 7)])
    expect(frames.slice(1, 6).map(({ trust }) => trust)).toEqual(Array(5).fill('fp'))
    expect(symbolsOf(stacks[0])).toContain('main')
  })

  it('finds the caller of a null function pointer', async () => {
    const { stacks } = analyzeCore(await crash('crash', 'call-null'))
    expect(symbolsOf(stacks[0]).slice(0, 4)).toEqual(['??', 'call_null', 'main', '??'])
    expect(stacks[0]?.frames[1]?.trust).toBe('call')
  })

  it('marks what it guesses in a program of musl', async () => {
    const core = await crash('musl', 'sort')
    const { stacks, report, minicore } = analyzeCore(core)
    expectSameUpToGuess(stacks[0], join(directory, 'musl'), core)
    expectSameBacktraces(join(directory, 'musl'), core, minicore)
    expect(symbolsOf(stacks[0]).slice(0, SORT.length)).toEqual(SORT)
    const trusts = stacks[0]?.frames.map(({ trust }) => trust) ?? []
    expect(trusts.slice(0, SORT.length)).toEqual(['context', ...Array(SORT.length - 1).fill('cfi')])
    expect(trusts).toContain('scan')
    // the part of musl has no table: what is behind the first guess is in no key
    expect(report.fingerprint.basis.length).toBeLessThanOrEqual(3 + trusts.indexOf('scan'))
  })
})
