import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { ROOT } from '../set-up/root.mjs'
import { DemoError } from './say.ts'
import type { Scratch } from './scratch.ts'

const AGENT = join(ROOT, 'apps/agent/bin/agent.js')

/** The agent's settings for a node that is one scratch folder. */
function environment({ hostDir, coreDir, bucket }: Scratch): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    HOST_DIR: hostDir,
    CORE_DIR: coreDir,
    DESTINATION: `file:${bucket}`,
    USE_INOTIFY: 'true',
  }
}

/** An agent at work, or one that ends by itself. */
export interface Agent {
  /** Throws, with what the agent logged, when it has ended. */
  check(): void
  /** SIGTERM, then wait for its end. */
  stop(): Promise<void>
}

export function startAgent(scratch: Scratch): Agent {
  const child = spawnAgent([], scratch)
  const ended = once(child, 'close')
  const log = collect(child)
  return {
    check: () => {
      if (child.exitCode !== null) throw new DemoError(`The agent ended:\n${log()}`)
    },
    stop: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** Run one of the agent's commands to its end. */
export async function runAgent(args: readonly string[], scratch: Scratch): Promise<void> {
  const child = spawnAgent(args, scratch)
  const log = collect(child)
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0)
    throw new DemoError(`core-dump-agent ${args.join(' ')} ended with ${code}:\n${log()}`)
}

function spawnAgent(args: readonly string[], scratch: Scratch): ChildProcess {
  return spawn(process.execPath, [AGENT, ...args], {
    env: environment(scratch),
    stdio: ['ignore', 'pipe', 'pipe'],
    // of its own group: Ctrl-C is for the demo, which then ends the agent in order
    detached: true,
  })
}

function collect(child: ChildProcess): () => string {
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  }
  return () => text.trim()
}
