import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  analyze,
  analyzeCore,
  pcsOf,
  symbolsOf,
  type AnalyzedCore,
} from '@core-dump-handler/testing/report/analyze-core'
import { crashCore } from '@core-dump-handler/testing/report/crash-core'
import { compile, missingTools, programSource } from '@core-dump-handler/testing/report/programs'
import { rewriteCore } from '@core-dump-handler/testing/report/rewrite-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bufferSource, CoreStream, openCore } from './index.ts'

const missing = missingTools('gcc', 'gdb')
const LAYOUTS = [
  { order: 'address' },
  { order: 'size' },
  { order: 'reversed' },
  { order: 'address', xnum: true },
  { order: 'size', xnum: true },
] as const

function fromFile(bytes: Buffer): AnalyzedCore | undefined {
  const opened = openCore(bufferSource(bytes))
  return opened && analyze(opened.facts, opened.memory)
}

function fromStream(bytes: Buffer, chunkBytes: number): AnalyzedCore | undefined {
  const stream = new CoreStream()
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    // a chunk is the caller's again when it has been pushed
    const chunk = Buffer.from(bytes.subarray(at, at + chunkBytes))
    stream.push(chunk)
    chunk.fill(0xff)
  }
  const facts = stream.facts()
  return facts && analyze(facts, stream.memory())
}

describe.skipIf(missing)(`layouts of cores${missing === undefined ? '' : `: ${missing}`}`, () => {
  let directory: string
  let program: string
  let core: Buffer
  let expected: AnalyzedCore

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'report-layouts-'))
    program = join(directory, 'crash')
    compile(directory, 'gcc', [
      '-O1',
      '-g',
      '-pthread',
      '-w',
      '-o',
      program,
      programSource('crash.c'),
    ])
    // the stack that matters is found by the one that the handler ran on
    const path = await crashCore(directory, [program, 'handler-on-stack'])
    expected = analyzeCore(path)
    core = readFileSync(path)
  }, 240_000)

  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  it('is a stack through a handler that runs on another one', () => {
    expect(symbolsOf(expected.stacks[0])).toContain('handle_by_abort')
    expect(symbolsOf(expected.stacks[0]).at(-1)).toBe('_start')
  })

  it.for(LAYOUTS)(
    'does not matter for a file: $order, more than 65,534 segments: $xnum',
    (layout) => {
      const found = fromFile(rewriteCore(core, layout))
      expect(found?.facts.problems).toEqual([])
      expect(found?.stacks.map(pcsOf)).toEqual(expected.stacks.map(pcsOf))
      expect(found?.report.fingerprint).toEqual(expected.report.fingerprint)
    },
  )

  it.for(LAYOUTS)(
    'does not matter for a stream: $order, more than 65,534 segments: $xnum',
    (layout) => {
      const found = fromStream(rewriteCore(core, layout), 65_536)
      expect(found?.facts.problems).toEqual([])
      const hasHandlerFirst = layout.order !== 'reversed'
      const pcs = pcsOf(expected.stacks[0])
      const frames = pcsOf(found?.stacks[0])
      // in one pass a stack that has gone by cannot be had any more
      expect(frames.slice(0, 5)).toEqual(pcs.slice(0, 5))
      if (hasHandlerFirst) expect(frames).toEqual(pcs)
    },
  )

  it.for([1, 7, 64, 4096, 262_144])(
    'does not matter for a stream in chunks of %i bytes',
    (chunkBytes) => {
      const found = fromStream(core, chunkBytes)
      expect(found?.stacks.map(pcsOf)).toEqual(expected.stacks.map(pcsOf))
      expect(found?.report.fingerprint).toEqual(expected.report.fingerprint)
    },
  )

  it('may be that of gcore, whose notes are last', () => {
    const layout = { notesLast: true }
    expect(fromFile(rewriteCore(core, layout))?.stacks.map(pcsOf)).toEqual(
      expected.stacks.map(pcsOf),
    )
    // a stream is over when its notes come: registers and no frames
    const streamed = fromStream(rewriteCore(core, layout), 65_536)
    expect(streamed?.report.crash.signalName).toBe('SIGABRT')
    expect(streamed?.facts.threads.length).toBe(1)
  })

  it('may be that of gcore itself', () => {
    const out = join(directory, 'gcore')
    const commands = ['run', `gcore ${out}`, 'kill'].flatMap((line) => ['-ex', line])
    execFileSync(
      'gdb',
      [
        '-q',
        '-batch',
        '-nx',
        '-iex',
        'set debuginfod enabled off',
        ...commands,
        '--args',
        program,
        'sort',
      ],
      {
        stdio: 'ignore',
        timeout: 60_000,
      },
    )
    const { stacks, report } = analyzeCore(out)
    const names = symbolsOf(stacks[0])
    expect(names[0]).toBe('crash_here')
    expect(names.at(-1)).toBe('_start')
    expect(report.crash.signalName).toBe('SIGSEGV')
  })

  it('may be cut anywhere', () => {
    const full = pcsOf(expected.stacks[0])
    const lengths = [0, 1, 51, 63, 64, 65, 120, 1000, 5000]
    for (let length = 8192; length < core.length; length += 12_289) lengths.push(length)
    let complete = 0
    for (const length of [...lengths, core.length]) {
      const cut = core.subarray(0, length)
      for (const found of [fromFile(cut), fromStream(cut, 10_000)]) {
        if (length < 64) expect(found).toBeUndefined()
        const pcs = pcsOf(found?.stacks[0])
        // what is there is right
        expect(full.slice(0, Math.min(pcs.length, 3))).toEqual(pcs.slice(0, 3))
        if (pcs.length === full.length) complete++
        expect(() => JSON.parse(JSON.stringify(found?.report ?? {}))).not.toThrow()
      }
    }
    expect(complete).toBeGreaterThan(1)
  })
})
