import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  analyzeCore,
  pcsOf,
  type AnalyzedCore,
} from '@core-dump-handler/testing/report/analyze-core'
import { crashCore } from '@core-dump-handler/testing/report/crash-core'
import {
  euStackFrames,
  gdbBacktraces,
  gdbFrames,
} from '@core-dump-handler/testing/report/debuggers'
import { compile, missingTools, programSource } from '@core-dump-handler/testing/report/programs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/** Copied all over the heap by every one of these programs. */
const SECRET = 'ENVIRONMENT_CANARY_77'
const ARGUMENT = 'ARGUMENT_CANARY_77'

interface Language {
  readonly name: string
  readonly tools: readonly string[]
  /** Makes the program in a directory; returns the command that runs it. */
  readonly build: (directory: string) => readonly string[]
  /**
   * What the debugger has of the crashing thread: as many frames as we, or the first ones and then words of the
   * stack that are no code: it does not know frames of code without tables.
   */
  readonly gdb: 'equal' | 'begins'
  readonly euStack: 'equal' | 'begins'
}

const LANGUAGES: readonly Language[] = [
  {
    name: 'C++',
    tools: ['g++'],
    build(directory) {
      const source = programSource('crash.cpp')
      compile(directory, 'g++', ['-O1', '-g', '-pthread', '-o', 'program', source])
      return [join(directory, 'program')]
    },
    gdb: 'equal',
    euStack: 'equal',
  },
  {
    name: 'Rust',
    tools: ['rustc'],
    build(directory) {
      const source = programSource('crash.rs')
      compile(directory, 'rustc', ['-O', '-C', 'panic=abort', '-o', 'program', source])
      return [join(directory, 'program')]
    },
    gdb: 'equal',
    euStack: 'equal',
  },
  {
    name: 'Go',
    tools: ['go'],
    build(directory) {
      const program = join(directory, 'program')
      compile(programSource('go'), 'go', ['build', '-o', program, '.'])
      return [program]
    },
    // and one more behind the outermost frame, at address 0
    gdb: 'begins',
    // it ends where the signal handler was called
    euStack: 'begins',
  },
  {
    name: 'Node.js',
    tools: [],
    build: () => [process.execPath, programSource('abort.js')],
    gdb: 'begins',
    euStack: 'equal',
  },
  {
    name: 'Python',
    tools: ['python3'],
    build: () => ['/usr/bin/python3', programSource('crash.py')],
    gdb: 'equal',
    euStack: 'equal',
  },
  {
    name: 'Java',
    tools: ['java', 'javac'],
    build(directory) {
      compile(directory, 'javac', ['-nowarn', '-d', '.', programSource('Crash.java')])
      return ['java', '-Xmx64m', '-XX:+UseSerialGC', '-cp', '.', 'Crash']
    },
    gdb: 'begins',
    euStack: 'equal',
  },
  {
    name: 'C with musl',
    tools: ['musl-gcc'],
    build(directory) {
      compile(directory, 'musl-gcc', [
        '-O1',
        '-w',
        '-static',
        '-o',
        'program',
        programSource('crash.c'),
      ])
      return [join(directory, 'program')]
    },
    // the caller of main has no table, and is marked as a guess by us
    gdb: 'begins',
    euStack: 'begins',
  },
]

/** They are ours up to where they end, go on behind the outermost frame, or take what is no code for a frame. */
function expectToBegin(
  theirs: readonly string[],
  ours: readonly string[],
  core: AnalyzedCore,
): void {
  const different = theirs.findIndex((pc, index) => pc !== ours[index])
  if (different < 0 || different === ours.length) return
  expect(different).toBeGreaterThan(0)
  expect(core.facts.segments.isExecutable(Number(theirs[different]))).toBe(false)
}

for (const language of LANGUAGES) {
  const { name } = language
  const missing = missingTools(...language.tools, 'gdb', 'eu-stack')
  describe.skipIf(missing)(missing === undefined ? name : `${name}: ${missing}`, () => {
    let directory: string
    let command: readonly string[]
    let program: string
    let path: string
    let core: AnalyzedCore

    const crash = (place: 'here' | 'there'): Promise<string> =>
      crashCore(directory, [...command, place, ARGUMENT], {
        env: { SECRET, HOME: directory, GOTRACEBACK: 'crash' },
      })

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'report-compared-'))
      command = language.build(directory)
      path = join(directory, 'first')
      writeFileSync(path, readFileSync(await crash('here')))
      core = analyzeCore(path)
      program = core.report.crash.exe ?? ''
    }, 180_000)
    afterAll(() => rmSync(directory, { recursive: true, force: true }))

    it.for([
      { by: 'gdb', frames: gdbFrames, known: language.gdb },
      { by: 'eu-stack', frames: euStackFrames, known: language.euStack },
    ])('has the frames of $by', ({ by, frames, known }) => {
      const theirs = new Map(frames(program, path).map(({ tid, pcs }) => [tid, pcs]))
      expect(theirs.size).toBe(core.stacks.length)
      const [crashing, ...others] = core.stacks
      const found = theirs.get(crashing?.tid ?? 0) ?? []
      if (known === 'equal') expect(pcsOf(crashing)).toEqual(found)
      else expect(found.length).toBeGreaterThan(2)
      expectToBegin(found, pcsOf(crashing), core)
      // gdb takes addresses of Java's compiled code on the stack for callers
      if (by === 'gdb' && name === 'Java') return
      for (const stack of others)
        expectToBegin(theirs.get(stack?.tid ?? 0) ?? [], pcsOf(stack), core)
    })

    it('has the same backtraces in gdb from the minicore as from the core', () => {
      const mini = join(directory, 'mini')
      writeFileSync(mini, core.minicore)
      const lines = gdbBacktraces(program, path)
      expect(lines.length).toBeGreaterThan(core.stacks.length)
      expect(gdbBacktraces(program, mini)).toEqual(lines)
      expect(core.minicore.length).toBeLessThan(300 * 1024)
    })

    it('keeps no heap, environment or arguments', () => {
      const full = readFileSync(path)
      const made = [core.minicore, Buffer.from(core.text), Buffer.from(JSON.stringify(core.report))]
      for (const canary of [SECRET, ARGUMENT]) {
        expect(full.includes(canary)).toBe(true)
        expect(made.map((bytes) => bytes.includes(canary))).toEqual([false, false, false])
      }
    })

    it('has one fingerprint for each place, whatever the addresses are', async () => {
      const again = analyzeCore(await crash('here')).report
      const { crashingThread, fingerprint } = core.report
      expect(again.crashingThread?.registers['rsp']).not.toBe(crashingThread?.registers['rsp'])
      expect(again.fingerprint).toEqual(fingerprint)
      const other = analyzeCore(await crash('there')).report
      expect(other.crash.signal).toBe(core.report.crash.signal)
      expect(other.fingerprint.id).not.toBe(fingerprint.id)
      expect(other.fingerprint.family).not.toBe(fingerprint.family)
    })
  })
}
