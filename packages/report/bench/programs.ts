// One crash of each language, as a table; see README.md for how to run it.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { analyzeCore, pcsOf } from '@core-dump-handler/testing/report/analyze-core'
import { crashCore } from '@core-dump-handler/testing/report/crash-core'
import {
  euStackFrames,
  gdbFrames,
  type DebuggerThread,
} from '@core-dump-handler/testing/report/debuggers'
import { compile, programSource } from '@core-dump-handler/testing/report/programs'
import { WINDOW_LIMITS, type Stack } from '../src/index.ts'

const directory = mkdtempSync(join(tmpdir(), 'report-bench-'))
const built = (name: string, compiler: string, ...options: readonly string[]): string => {
  compile(directory, compiler, [...options, '-o', name])
  return join(directory, name)
}
const C = [programSource('crash.c'), '-O1', '-w', '-pthread', '-fno-optimize-sibling-calls']
const c = built('c', 'gcc', ...C, '-fno-stack-protector')
const cpp = built('cpp', 'g++', programSource('crash.cpp'), '-O1', '-pthread')
const rust = built('rust', 'rustc', programSource('crash.rs'), '-O', '-C', 'panic=abort')
const go = join(directory, 'go')
compile(programSource('go'), 'go', ['build', '-ldflags=-s -w', '-o', go, '.'])
compile(directory, 'javac', ['-nowarn', '-d', '.', programSource('Crash.java')])

const PROGRAMS: readonly (readonly [name: string, ...command: string[]])[] = [
  ['C, qsort callback', c, 'threads', '8'],
  ['C, stack overflow', c, 'overflow'],
  ['C, handler on its own stack', c, 'handler-on-stack'],
  ['C, smashed stack', built('p', 'gcc', ...C, '-fstack-protector-all'), 'smash', 'a'.repeat(32)],
  ['C, double free', c, 'free-twice'],
  ['C, static', built('s', 'gcc', ...C, '-static'), 'sort'],
  ['C, static with musl', built('m', 'musl-gcc', ...C, '-static'), 'sort'],
  ['C, 1,002 threads', c, 'threads', '1000'],
  ['C++ exception', cpp, 'throw'],
  ['C++ virtual call on null', cpp, 'virtual'],
  ['Rust panic', rust],
  ['Go, stripped', go],
  ['Node.js', process.execPath, programSource('abort.js')],
  ['Python', '/usr/bin/python3', programSource('crash.py')],
  ['Java', 'java', '-Xmx64m', '-XX:+UseSerialGC', '-cp', '.', 'Crash'],
]

/** Frames that were not guessed. */
function sure({ frames }: Stack): number {
  return frames.filter(({ trust }) => trust !== 'scan').length
}

/** Frames of a debugger that are ours too, of all threads. */
function common(stacks: readonly (Stack | undefined)[], theirs: readonly DebuggerThread[]): number {
  const pcs = new Map(theirs.map((thread) => [thread.tid, thread.pcs]))
  return stacks.reduce((sum, stack) => {
    const [ours, found] = [pcsOf(stack), pcs.get(stack?.tid ?? 0) ?? []]
    const different = found.findIndex((pc, index) => pc !== ours[index])
    return sum + (different < 0 ? found.length : different)
  }, 0)
}

interface Cost {
  readonly milliseconds: Readonly<Record<string, number>>
  readonly jsonBytes: number
  readonly minicoreBytes: number
}

/** In a fresh process, with cold code; the median of three. */
function cost(core: string): Cost {
  const script = new URL('analyze.ts', import.meta.url).pathname
  const args = ['--conditions=@core-dump-handler/source', script, core]
  const runs = Array.from({ length: 3 }, (): Cost => {
    return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }))
  })
  const [, median] = runs.toSorted((a, b) => total(a) - total(b))
  if (median === undefined) throw new Error('no runs')
  return median
}

/** Of the steps after the process was released. */
function total({ milliseconds }: Cost): number {
  const steps = ['crashing', 'all', 'names', 'report', 'text', 'minicore']
  return steps.reduce((sum, step) => sum + (milliseconds[step] ?? 0), 0)
}

console.log(
  '| program | threads | frames: ours | gdb | eu-stack | minicore | report.json | ms, crashing thread | all |',
)
console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- |')
for (const [name, ...command] of PROGRAMS) {
  const env = { GOTRACEBACK: 'crash', SECRET: 'secret', HOME: directory }
  const core = await crashCore(directory, command, { env })
  const { stacks, report } = analyzeCore(core, { limits: WINDOW_LIMITS })
  const program = report.crash.exe ?? ''
  const spent = cost(core)
  const frames = stacks.reduce((sum, stack) => sum + (stack ? sure(stack) : 0), 0)
  const theirs = [gdbFrames, euStackFrames].map((read) => common(stacks, read(program, core)))
  const sizes = [spent.minicoreBytes, spent.jsonBytes].map(
    (bytes) => `${Math.ceil(bytes / 1024)} KB`,
  )
  const ms = [spent.milliseconds['crashing'] ?? 0, total(spent)].map(Math.round)
  console.log(`| ${[name, stacks.length, frames, ...theirs, ...sizes, ...ms].join(' | ')} |`)
}
rmSync(directory, { recursive: true, force: true })
