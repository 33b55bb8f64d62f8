import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const PACKAGE = createRequire(import.meta.url).resolve('@core-dump-handler/agent/package.json')
const CLI = join(dirname(PACKAGE), 'src/cli.ts')

/** A running agent, all it has written, and its end. */
export interface Agent {
  readonly pid: number
  /** Everything on stdout and stderr so far. */
  output(): string
  /** The first line that matches, as soon as it is written; rejects when the agent ends without it. */
  line(pattern: RegExp): Promise<string>
  /** Resolves with the exit code, or the signal. */
  readonly ended: Promise<number | NodeJS.Signals>
  kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>
}

/** Run the agent from its sources. */
export function startAgent(args: readonly string[], env: NodeJS.ProcessEnv, cwd?: string): Agent {
  const child = spawn(
    process.execPath,
    [
      '--conditions=@core-dump-handler/source',
      '--disable-warning=ExperimentalWarning',
      CLI,
      ...args,
    ],
    { env, stdio: ['ignore', 'pipe', 'pipe'], ...(cwd && { cwd }) },
  )
  let output = ''
  const waiting = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      for (const look of waiting) look()
    })
  }
  const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child
      .once('error', reject)
      .once('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'))
  })
  const find = (pattern: RegExp): string | undefined =>
    output.split('\n').find((line) => pattern.test(line))

  return {
    pid: child.pid ?? 0,
    output: () => output,
    ended,
    async line(pattern) {
      const found = new Promise<string>((resolve) => {
        const look = (): void => {
          const line = find(pattern)
          if (line === undefined) return
          waiting.delete(look)
          resolve(line)
        }
        waiting.add(look)
        look()
      })
      const over = ended.then((code) => {
        const line = find(pattern)
        if (line !== undefined) return line
        throw new Error(`The agent ended (${code}) without ${pattern}:\n${output}`)
      })
      return Promise.race([found, over])
    },
    async kill(signal) {
      child.kill(signal)
      return ended
    },
  }
}
