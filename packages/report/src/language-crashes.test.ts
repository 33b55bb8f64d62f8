import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { analyzeCore, symbolsOf } from '@core-dump-handler/testing/report/analyze-core'
import { crashCore } from '@core-dump-handler/testing/report/crash-core'
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

function about(missing: string | undefined, name: string): string {
  return missing === undefined ? name : `${name}: ${missing}`
}

const noRust = missingTools('rustc', 'gcc')
describe.skipIf(noRust)(about(noRust, 'Rust'), () => {
  it('takes the function that panics for the place, not the panic', async () => {
    const directory = scratch('rust')
    const source = programSource('crash.rs')
    compile(directory, 'rustc', ['-O', '-C', 'panic=abort', '-o', 'program', source])
    const program = join(directory, 'program')
    const core = await crashCore(directory, [program])
    const { stacks, report } = analyzeCore(core)
    expect(stacks[0]?.frames.every(({ trust }) => trust !== 'scan')).toBe(true)
    // what panics is not the crash: the function that did is the first of the key
    const key = report.fingerprint.basis[3]
    const first = stacks[0]?.frames.find(({ symbol }) => symbol?.includes('deep'))
    expect(key).toBe(`${report.crash.exeBuildId}+${first?.vaddr?.toString(16)}`)
  })
})

const noGo = missingTools('go')
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
  })
})

describe('Node.js', () => {
  it('unwinds an abort through interpreted frames', async () => {
    const directory = scratch('node')
    const core = await crashCore(directory, [process.execPath, programSource('abort.js')])
    const { stacks } = analyzeCore(core)
    const names = symbolsOf(stacks[0])
    expect(
      names.filter((name) => name === 'Builtins_InterpreterEntryTrampoline').length,
    ).toBeGreaterThan(5)
    expect(names).toContain('uv_run')
    expect(names.at(-1)).toBe('_start')
    expect(stacks.every((stack) => stack?.frames.every(({ trust }) => trust !== 'scan'))).toBe(true)
  })
})

const noJava = missingTools('java', 'javac')
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
    const { stacks } = analyzeCore(core)
    expect(stacks[0]?.isComplete).toBe(true)
    expect(stacks[0]?.frames.some(({ trust }) => trust === 'signal')).toBe(true)
    expect(stacks[0]?.frames.every(({ trust }) => trust !== 'scan')).toBe(true)
  })
})
