import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import * as v from 'valibot'
import { runInForeground } from '../set-up/pinned-node.mjs'
import { ROOT } from '../set-up/root.mjs'
import { machine, machineLine } from '@core-dump-handler/testing/bench/machine'
import { log } from '@core-dump-handler/testing/bench/publish'

/** Benchmarks by name: a package's own, or one of the whole path. */
export const PROGRAMS: ReadonlyMap<string, string> = new Map(
  globSync(['{packages,apps}/*/bench/main.ts', 'integration/bench/*.ts'], { cwd: ROOT })
    .toSorted()
    .map((path) => [nameOf(path), join(ROOT, path)]),
)

/** What `npm run bench` runs, in less than five minutes on two CPUs: the most important figures. */
export const WHOLE_SET: readonly string[] = [
  'ingest --kinds half-zero,random,node-heap --modes deflate,deflate:engine=zlib,adaptive:engine=zlib,store,composer --peers cat,pigz,zstd',
  'held',
  'arrival',
  'storm --runs 32x100',
  'upload --rounds 2 --warm-up 0 --ours 2x8',
]

/** The part of a benchmark's report that is judged. */
const REPORT = v.object({
  figures: v.record(v.string(), v.number()),
  missing: v.optional(v.array(v.string())),
})

/** One program of the set, and its report. */
export interface Ran {
  readonly name: string
  readonly args: readonly string[]
  readonly exitCode: number
  readonly seconds: number
  /** Absent when it failed before its end. */
  readonly report?: v.InferOutput<typeof REPORT>
}

/** Run a benchmark to its end; with `quiet` its tables go to standard error. */
export async function runProgram(
  name: string,
  args: readonly string[],
  { quiet }: { readonly quiet: boolean },
): Promise<Ran> {
  // on standard error: a program's --json stays clean
  log(`── ${name}: ${machineLine(machine())}`)
  const dir = mkdtempSync(join(tmpdir(), 'bench-report-'))
  const file = join(dir, 'report.json')
  const started = performance.now()
  try {
    const program = PROGRAMS.get(name) ?? ''
    const node = ['--conditions=@core-dump-handler/source', program, '--report', file, ...args]
    const exitCode = await runInForeground(process.execPath, node, process.env, quiet ? 2 : 1)
    const seconds = (performance.now() - started) / 1000
    const report = read(file)
    return { name, args, exitCode, seconds, ...(report && { report }) }
  } finally {
    rmSync(dir, { recursive: true })
  }
}

function read(file: string): Ran['report'] {
  let text
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return undefined // the program failed before its end, and has printed why
  }
  // all of it is printed by --json
  return v.parse(v.looseObject(REPORT.entries), JSON.parse(text))
}

function nameOf(path: string): string {
  const name = basename(path, '.ts')
  return name === 'main' ? basename(dirname(dirname(path))) : name
}
