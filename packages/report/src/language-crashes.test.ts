import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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

const GO_WALK = ['main.walk', 'main.walk', 'main.walk', 'main.walk', 'main.walk', 'main.main']
const SECRET = 'ENVIRONMENT_CANARY_77'

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'report-language-'))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

function scratch(name: string): string {
  const directory = join(root, name)
  mkdirSync(directory)
  return directory
}

/** The same lines in gdb from the minicore as from the core. */
function expectSameBacktraces(
  directory: string,
  program: string,
  core: string,
  minicore: Buffer,
): void {
  const mini = join(directory, 'mini')
  writeFileSync(mini, minicore)
  expect(gdbBacktraces(program, mini)).toEqual(gdbBacktraces(program, core))
}

function about(missing: string | undefined, name: string): string {
  return missing === undefined ? name : `${name}: ${missing}`
}

const noRust = missingTools('rustc', 'gcc', 'gdb', 'eu-stack')
describe.skipIf(noRust)(about(noRust, 'Rust'), () => {
  it('unwinds a panic in a thread as gdb does', async () => {
    const directory = scratch('rust')
    const source = programSource('crash.rs')
    compile(directory, 'rustc', ['-O', '-C', 'panic=abort', '-o', 'program', source])
    const program = join(directory, 'program')
    const core = await crashCore(directory, [program])
    const { stacks, report, minicore } = analyzeCore(core)
    expect(pcsOf(stacks[0])).toEqual(gdbFrames(program, core)[0]?.pcs)
    expect(pcsOf(stacks[0])).toEqual(euStackFrames(program, core)[0]?.pcs)
    expect(stacks[0]?.frames.every(({ trust }) => trust !== 'scan')).toBe(true)
    // what panics is not the crash: the function that did is the first of the key
    const key = report.fingerprint.basis[3]
    const first = stacks[0]?.frames.find(({ symbol }) => symbol?.includes('deep'))
    expect(key).toBe(`${report.crash.exeBuildId}+${first?.vaddr?.toString(16)}`)
    expectSameBacktraces(directory, program, core, minicore)
  })
})

const noGo = missingTools('go', 'gdb')
describe.skipIf(noGo)(about(noGo, 'Go'), () => {
  it.for([
    { name: 'with symbols', flags: [] },
    { name: 'stripped', flags: ['-ldflags=-s -w'] },
    { name: 'at any address', flags: ['-buildmode=pie', '-ldflags=-s -w'] },
  ])('unwinds a panic through its handler, $name', async ({ name, flags }) => {
    const directory = scratch(`go ${name}`)
    const program = join(directory, 'program')
    compile(programSource('go'), 'go', ['build', ...flags, '-o', program, '.'])
    const core = await crashCore(directory, [program], {
      env: { GOTRACEBACK: 'crash', SECRET, HOME: directory },
    })
    expect(readFileSync(core).includes(SECRET)).toBe(true)
    const { stacks, report, text, minicore } = analyzeCore(core)
    const names = symbolsOf(stacks[0]).map((symbol) => symbol.replace(/\.abi0$/, ''))
    const first = names.indexOf('main.walk')
    expect(names.slice(first, first + GO_WALK.length)).toEqual(GO_WALK)
    expect(names.at(-1)).toBe('runtime.goexit')
    expect(stacks[0]?.frames.every(({ trust }) => trust !== 'scan')).toBe(true)
    expect(stacks[0]?.isComplete).toBe(true)
    expect(report.fingerprint.basis[3]).toMatch(/\+[0-9a-f]+$/)
    // the environment was copied all over the heap, in which the stacks of goroutines lie
    for (const made of [minicore, Buffer.from(text), Buffer.from(JSON.stringify(report))]) {
      expect(made.includes(SECRET)).toBe(false)
    }
    expect(minicore.length).toBeLessThan(100 * 1024)
    if (name === 'with symbols') expectSameBacktraces(directory, program, core, minicore)
  })
})

describe('Node.js', () => {
  const missing = missingTools('gdb', 'eu-stack')
  it.skipIf(missing)(about(missing, 'unwinds an abort through interpreted frames'), async () => {
    const directory = scratch('node')
    const core = await crashCore(directory, [process.execPath, programSource('abort.js')])
    const { stacks, minicore } = analyzeCore(core)
    const names = symbolsOf(stacks[0])
    expect(
      names.filter((name) => name === 'Builtins_InterpreterEntryTrampoline').length,
    ).toBeGreaterThan(5)
    expect(names).toContain('uv_run')
    expect(names.at(-1)).toBe('_start')
    expect(stacks.every((stack) => stack?.frames.every(({ trust }) => trust !== 'scan'))).toBe(true)
    const theirs = euStackFrames(process.execPath, core)
    expect(pcsOf(stacks[0])).toEqual(theirs[0]?.pcs)
    expectSameBacktraces(directory, process.execPath, core, minicore)
  })
})

const noPython = missingTools('python3', 'gdb', 'eu-stack')
describe.skipIf(noPython)(about(noPython, 'Python'), () => {
  it('unwinds a fault in ctypes as gdb does', async () => {
    const directory = scratch('python')
    const python = '/usr/bin/python3'
    const core = await crashCore(directory, [python, programSource('crash.py')])
    const { stacks, minicore } = analyzeCore(core)
    const ours = stacks.map((stack) => ({ tid: stack?.tid, pcs: pcsOf(stack) }))
    expect(ours).toEqual(gdbFrames(python, core))
    expectSameBacktraces(directory, python, core, minicore)
  })
})

const noJava = missingTools('java', 'javac', 'gdb', 'eu-stack')
describe.skipIf(noJava)(about(noJava, 'Java'), () => {
  it('unwinds a fault through the handler and interpreted frames', async () => {
    const directory = scratch('java')
    compile(directory, 'javac', ['-nowarn', '-d', '.', programSource('Crash.java')])
    const core = await crashCore(directory, [
      'java',
      '-Xmx64m',
      '-XX:+UseSerialGC',
      '-cp',
      '.',
      'Crash',
    ])
    const { stacks, report, minicore } = analyzeCore(core)
    const java = report.crash.exe ?? ''
    expect(stacks[0]?.isComplete).toBe(true)
    expect(stacks[0]?.frames.some(({ trust }) => trust === 'signal')).toBe(true)
    expect(stacks[0]?.frames.every(({ trust }) => trust !== 'scan')).toBe(true)
    expect(pcsOf(stacks[0])).toEqual(euStackFrames(java, core)[0]?.pcs)
    expect(minicore.length).toBeLessThan(300 * 1024)
    expectSameBacktraces(directory, java, core, minicore)
  })
})
