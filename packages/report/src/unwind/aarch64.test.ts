import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  analyze,
  pcsOf,
  symbolsOf,
  type AnalyzedCore,
} from '@core-dump-handler/testing/report/analyze-core'
import { euStackFrames, gdbBacktraces } from '@core-dump-handler/testing/report/debuggers'
import { compile, missingTools, programSource } from '@core-dump-handler/testing/report/programs'
import { rewriteCore } from '@core-dump-handler/testing/report/rewrite-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bufferSource, openCore } from '../index.ts'

const missing = missingTools('aarch64-linux-gnu-gcc', 'qemu-aarch64-static', 'eu-stack')
const MASK = 0xffff_ffff_ffffn
const SORT = ['crash_here', 'level', 'level', 'level', 'level', 'level', 'level', 'compare']

/** PT_LOADs of a program at fixed addresses, as the mappings that a kernel lists. */
function mappingsOf(path: string): { start: number; end: number; offset: number; path: string }[] {
  const elf = readFileSync(path)
  return Array.from({ length: elf.readUInt16LE(56) }, (_, index) => 64 + index * 56)
    .filter((at) => elf.readUInt32LE(at) === 1)
    .map((at) => {
      const [offset, vaddr] = [8, 16].map((field) => Number(elf.readBigUInt64LE(at + field)))
      const size = Number(elf.readBigUInt64LE(at + 32))
      const skip = (vaddr ?? 0) % 4096
      const start = (vaddr ?? 0) - skip
      const end = start + Math.ceil((size + skip) / 4096) * 4096
      return { start, end, offset: (offset ?? 0) - skip, path }
    })
}

describe.skipIf(missing)(`arm64${missing === undefined ? '' : `: ${missing}`}`, () => {
  let directory: string

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'report-arm64-'))
    const options = ['-O1', '-g', '-w', '-pthread', '-static', '-fno-stack-protector']
    compile(directory, 'aarch64-linux-gnu-gcc', [...options, '-o', 'cfi', programSource('crash.c')])
    const signed = [...options, '-mbranch-protection=standard', '-march=armv8.3-a']
    compile(directory, 'aarch64-linux-gnu-gcc', [
      ...signed,
      '-o',
      'signed',
      programSource('crash.c'),
    ])
    const pointers = [...options, '-fno-asynchronous-unwind-tables', '-fno-unwind-tables']
    compile(directory, 'aarch64-linux-gnu-gcc', [
      ...pointers,
      '-o',
      'pointers',
      programSource('crash.c'),
    ])
  })

  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  /** The core that qemu writes of a guest, with the mappings that a kernel would list. */
  function crash(name: string, ...arguments_: readonly string[]): AnalyzedCore & { path: string } {
    const program = join(directory, name)
    const scratch = mkdtempSync(join(directory, 'run-'))
    const script = 'ulimit -c unlimited; cd "$1"; shift; qemu-aarch64-static "$@" || true'
    execFileSync('sh', ['-c', script, 'sh', scratch, program, ...arguments_], {
      stdio: 'ignore',
      timeout: 60_000,
      env: { PATH: process.env['PATH'], GOTRACEBACK: 'crash' },
    })
    const file = readdirSync(scratch).find((entry) => entry.startsWith('qemu_')) ?? 'no core'
    const core = rewriteCore(readFileSync(join(scratch, file)), { files: mappingsOf(program) })
    const path = join(scratch, 'guest.core')
    writeFileSync(path, core)
    const opened = openCore(bufferSource(core))
    if (opened === undefined) throw new Error(`${file} is no core`)
    return { ...analyze(opened.facts, opened.memory), path }
  }

  it.for(['cfi', 'signed'])('is unwound by its tables as eu-stack does: %s', (name) => {
    const { stacks, path, report } = crash(name, 'sort')
    expect(symbolsOf(stacks[0]).slice(0, SORT.length)).toEqual(SORT)
    expect(symbolsOf(stacks[0]).at(-1)).toBe('_start')
    expect(stacks[0]?.frames.slice(1).every(({ trust }) => trust === 'cfi')).toBe(true)
    // eu-stack of elfutils 0.188 shows return addresses with their signature
    const theirs = euStackFrames(join(directory, name), path)[0]?.pcs ?? []
    expect(pcsOf(stacks[0])).toEqual(theirs.map((pc) => `0x${(BigInt(pc) & MASK).toString(16)}`))
    expect(theirs.some((pc) => BigInt(pc) > MASK)).toBe(name === 'signed')
    expect(report.crashingThread?.registers['sp']).toMatch(/^0x/)
  })

  it.for(['handler', 'handler-on-stack'])('is unwound through a signal: %s', (mode) => {
    const { stacks } = crash('cfi', mode)
    const names = symbolsOf(stacks[0])
    const handler = names.indexOf('handle_by_abort')
    expect(names.slice(handler + 2, handler + 2 + SORT.length)).toEqual(SORT)
    expect(stacks[0]?.frames[handler + 2]?.trust).toBe('signal')
    expect(names.at(-1)).toBe('_start')
  })

  // gdb 13 itself does not end, or fails, on qemu's cores of a handler's stack and of signed addresses
  const noGdb = missingTools('gdb-multiarch')
  it.skipIf(noGdb).for([
    ['cfi', 'sort'],
    ['cfi', 'threads', '3'],
    ['cfi', 'overflow'],
  ])(
    `has the same backtraces in gdb from the minicore as from the core: %s %s${noGdb ?? ''}`,
    ([name = '', ...arguments_]) => {
      const { path, minicore, stacks } = crash(name, ...arguments_)
      const program = join(directory, name)
      const lines = gdbBacktraces(program, path, 'gdb-multiarch')
      expect(lines.length).toBeGreaterThan(stacks.length + 10)
      expect(lines.some((line) => line.includes('crash_here') || line.includes('recurse'))).toBe(
        true,
      )
      const mini = join(directory, 'mini')
      writeFileSync(mini, minicore)
      expect(gdbBacktraces(program, mini, 'gdb-multiarch')).toEqual(lines)
      expect(minicore.length).toBeLessThan(250 * 1024)
    },
  )

  it('is unwound in every thread', () => {
    const { stacks } = crash('cfi', 'threads', '3')
    expect(stacks.length).toBe(5)
    expect(stacks.every((stack) => stack?.frames.every(({ trust }) => trust !== 'scan'))).toBe(true)
    expect(
      stacks.map((stack) => symbolsOf(stack)).filter((names) => names.includes('wait_for_ever'))
        .length,
    ).toBe(3)
  })

  it('is unwound by frame pointers where there is no table', () => {
    const { stacks } = crash('pointers', 'sort')
    // the innermost function is a leaf: its caller is in the link register, which any call changes
    expect(symbolsOf(stacks[0]).slice(0, 6)).toEqual(['crash_here', ...SORT.slice(2, 7)])
    expect(stacks[0]?.frames[1]?.trust).toBe('fp')
    expect(symbolsOf(stacks[0])).toContain('main')
  })

  it('gives the caller of a null function pointer', () => {
    const { stacks } = crash('cfi', 'call-null')
    expect(symbolsOf(stacks[0]).slice(0, 3)).toEqual(['??', 'call_null', 'main'])
    expect(stacks[0]?.frames[1]?.trust).toBe('call')
  })

  const noGo = missingTools('go')
  it.skipIf(noGo)('is unwound through a panic of Go', () => {
    const program = join(directory, 'go')
    const env = { GOARCH: 'arm64', CGO_ENABLED: '0' }
    compile(programSource('go'), 'go', ['build', '-ldflags=-s -w', '-o', program, '.'], env)
    const { stacks } = crash('go')
    const names = symbolsOf(stacks[0])
    const first = names.indexOf('main.walk')
    expect(names.slice(first - 1, first + 6)).toEqual([
      'runtime.sigpanic',
      ...Array(5).fill('main.walk'),
      'main.main',
    ])
    expect(names.at(-1)).toBe('runtime.goexit')
    expect(stacks[0]?.frames.every(({ trust }) => trust !== 'scan' && trust !== 'fp')).toBe(true)
  })
})
