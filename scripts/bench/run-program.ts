import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from '../set-up/root.mjs'
import { machine, machineLine } from '@core-dump-handler/testing/bench/machine'
import { PROGRAMS } from './programs.ts'
import { isReport, log, type Report } from '@core-dump-handler/testing/bench/publish'

/** One program of the set, and what it found. */
export interface Ran {
  readonly name: string
  readonly args: readonly string[]
  readonly exitCode: number
  readonly seconds: number
  /** Absent when it failed before its end. */
  readonly report?: Report
}

/** Run a benchmark to its end; with `quiet` its tables are not for standard output. */
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
    const exitCode = await run(PROGRAMS.get(name) ?? '', ['--report', file, ...args], quiet)
    const seconds = (performance.now() - started) / 1000
    const report = read(file)
    return { name, args, exitCode, seconds, ...(report && { report }) }
  } finally {
    rmSync(dir, { recursive: true })
  }
}

/** Its terminal is ours; a signal that ends us ends it first, and waits for what it puts back. */
async function run(program: string, args: readonly string[], quiet: boolean): Promise<number> {
  const node = ['--conditions=@core-dump-handler/source', program, ...args]
  const child = spawn(process.execPath, node, {
    cwd: ROOT,
    stdio: ['inherit', quiet ? 2 : 1, 2],
  })
  const passOn = (signal: NodeJS.Signals): void => void child.kill(signal)
  const interrupt = (): void => void (process.stdin.isTTY || child.kill('SIGINT'))
  process.on('SIGINT', interrupt).on('SIGTERM', passOn).on('SIGHUP', passOn)
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on('error', reject).on('close', (code, signal) => {
        resolve(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 0))
      })
    })
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', passOn).off('SIGHUP', passOn)
  }
}

function read(file: string): Report | undefined {
  try {
    const report: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return isReport(report) ? report : undefined
  } catch {
    return undefined // the program has reported why
  }
}
