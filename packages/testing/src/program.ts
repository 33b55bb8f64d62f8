import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, closeSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'

export const run: typeof execFile.__promisify__ = promisify(execFile)

/** A long-running program of a test. */
export interface Program {
  readonly pid: number
  /** What it has written to stdout and stderr so far. */
  output(): string
  running(): boolean
  /** Resolves with exit code or signal name. */
  readonly ended: Promise<number | string>
  /** Ask it to end, insist after `graceMs`; resolves when it is gone. */
  stop(signal?: NodeJS.Signals, graceMs?: number): Promise<number | string>
}

export interface ProgramOptions {
  /** File that stdout and stderr are appended to. */
  readonly log: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Start a program that ends with us, even when we are killed. */
export function startProgram(
  command: string,
  args: readonly string[],
  { log, env, cwd }: ProgramOptions,
): Program {
  const output = openSync(log, 'a')
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', command, ...args], {
    stdio: ['ignore', output, output],
    detached: true,
    ...(env && { env }),
    ...(cwd && { cwd }),
  })
  closeSync(output)
  const { pid } = child
  if (pid === undefined) throw new Error(`Cannot start ${command}`)
  const running = (): boolean => child.exitCode === null && child.signalCode === null
  const ended = once(child, 'exit').then(
    ([code, signal]): number | string => (code as number | null) ?? String(signal),
  )
  return {
    pid,
    ended,
    running,
    output: () => readFileSync(log, 'utf8'),
    async stop(signal = 'SIGTERM', graceMs = 10_000) {
      if (running()) child.kill(signal)
      const insist = setTimeout(() => child.kill('SIGKILL'), graceMs)
      try {
        return await ended
      } finally {
        clearTimeout(insist)
      }
    },
  }
}
