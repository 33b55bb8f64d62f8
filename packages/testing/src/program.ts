import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, closeSync, readFileSync } from 'node:fs'

/** A program that runs beside a test. */
export interface Program {
  readonly pid: number
  /** Its stdout and stderr until now. */
  output(): string
  running(): boolean
  /** Resolves with its exit code or signal name. */
  readonly ended: Promise<number | string>
  /** Send `signal`, and SIGKILL after `graceMs`; resolves when it has ended. */
  stop(signal?: NodeJS.Signals, graceMs?: number): Promise<number | string>
}

export interface ProgramOptions {
  /** File that stdout and stderr are appended to. */
  readonly log: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Start a program that ends with this process, even when this one is killed. */
export function startProgram(
  command: string,
  args: readonly string[],
  { log, env, cwd }: ProgramOptions,
): Program {
  const output = openSync(log, 'a')
  // not execa: the test kills it by any signal, and its output outlives both in a file
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
    (): number | string => child.exitCode ?? String(child.signalCode),
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
