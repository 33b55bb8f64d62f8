import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crashCore } from '@core-dump-handler/testing/report/crash-core'
import { fuzzRandom } from '@core-dump-handler/testing/report/fuzz-random'
import {
  FUZZ_PARTS,
  fuzzCrash,
  fuzzFingerprint,
  fuzzReport,
  type FuzzBase,
} from '@core-dump-handler/testing/report/fuzz-report'
import { compile, missingTools, programSource } from '@core-dump-handler/testing/report/programs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SegmentTable } from './core/segment-table.ts'

const ROUNDS = 200
const SLOW = { timeout: 300_000 }
const missing = missingTools('gcc', 'go')

describe.skipIf(missing)(`hostile input${missing === undefined ? '' : `: ${missing}`}`, () => {
  let directory: string
  const bases: FuzzBase[] = []

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'report-hostile-'))
    const program = join(directory, 'native')
    compile(directory, 'gcc', [
      '-O1',
      '-w',
      '-pthread',
      '-static',
      '-o',
      program,
      programSource('crash.c'),
    ])
    const core = readFileSync(await crashCore(directory, [program, 'handler']))
    bases.push({ core, path: program, program: readFileSync(program) })
    const go = join(directory, 'go')
    compile(programSource('go'), 'go', ['build', '-ldflags=-s -w', '-o', go, '.'])
    const env = { GOTRACEBACK: 'crash', SECRET: 's', HOME: directory }
    const goCore = readFileSync(await crashCore(directory, [go], { env }))
    bases.push({ core: goCore, path: go, program: readFileSync(go) })
  }, 240_000)

  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  it.for(FUZZ_PARTS)('ends in time and is reported in order: %s', SLOW, (part) => {
    bases.forEach((base, which) => {
      // a core of Go is large: copying it is most of a round
      const rounds = which === 0 ? ROUNDS : part === 'core' || part === 'stream' ? 5 : 50
      for (let round = 0; round < rounds; round++) {
        const seed = round * 31 + part.length * 7919 + which
        try {
          fuzzReport(part, fuzzRandom(seed), base, directory)
        } catch (error) {
          throw new Error(`${part}, seed ${seed}, program ${which}`, { cause: error })
        }
      }
    })
  })

  it('ends in time and is reported in order: what no program had', SLOW, () => {
    for (let seed = 0; seed < 60; seed++) {
      try {
        fuzzCrash(fuzzRandom(seed), directory)
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error })
      }
    }
  })

  it('has a fingerprint whatever the names are', () => {
    for (let seed = 0; seed < 300; seed++) {
      expect(() => fuzzFingerprint(fuzzRandom(seed))).not.toThrow()
    }
  })
})

describe('memory without end', () => {
  it('is no segment, so that a walk over it ends', () => {
    const segments = new SegmentTable()
    const header = { type: 1, flags: 6, offset: 0, filesz: 0 }
    segments.add({ ...header, vaddr: 0x1000, memsz: 2 ** 64 - 4096 })
    segments.add({ ...header, vaddr: 2 ** 63, memsz: 4096 })
    expect(segments.length).toBe(0)
  })
})

describe('the largest core', () => {
  it('takes at most 8 MiB beside its windows, and ends in time', () => {
    const script = new URL(import.meta.resolve('@core-dump-handler/testing/report/worst-core'))
      .pathname
    const args = ['--expose-gc', '--conditions=@core-dump-handler/source', script]
    const output = execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 })
    const result: { ms: number; bytes: number; skipped: string[] } = JSON.parse(output)
    expect(result.bytes).toBeLessThan(8 * 1024 * 1024)
    // notes and windows come before the 2 s of the analysis
    expect(result.ms).toBeLessThan(2500)
    expect(result.skipped.join()).toContain('threads')
  })
})
