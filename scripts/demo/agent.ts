import { join } from 'node:path'
import { execa } from 'execa'
import { ROOT } from '../set-up/root.mjs'
import { DemoError } from './say.ts'
import type { Scratch } from './scratch.ts'

const AGENT = join(ROOT, 'apps/agent/bin/agent.js')

/** A running agent. */
export interface Agent {
  /** Throws, with the agent's log, when it has ended. */
  check(): void
  /** SIGTERM, then wait for its end. */
  stop(): Promise<void>
}

export function startAgent(scratch: Scratch): Agent {
  const agent = execa(process.execPath, [AGENT], options(scratch))
  let log = ''
  let ended = false
  agent.all.setEncoding('utf8').on('data', (chunk: string) => (log += chunk))
  void agent.then(() => (ended = true))
  return {
    check: () => {
      if (ended) throw new DemoError(`The agent ended:\n${log.trim()}`)
    },
    stop: async () => {
      agent.kill('SIGTERM')
      await agent
    },
  }
}

/** Run one of the agent's commands to its end. */
export async function runAgent(args: readonly string[], scratch: Scratch): Promise<void> {
  const { exitCode, all } = await execa(process.execPath, [AGENT, ...args], options(scratch))
  if (exitCode !== 0)
    throw new DemoError(`core-dump-agent ${args.join(' ')} ended with ${exitCode}:\n${all.trim()}`)
}

/** Options of execa: the settings of a node that is one scratch directory. */
function options({ hostDir, coreDir, bucket }: Scratch) {
  return {
    env: {
      PATH: process.env['PATH'],
      HOST_DIR: hostDir,
      CORE_DIR: coreDir,
      DESTINATION: `file:${bucket}`,
      USE_INOTIFY: 'true',
    },
    extendEnv: false,
    stdin: 'ignore',
    all: true,
    reject: false,
    // of its own group: Ctrl-C is for the demo, which then ends the agent in order
    detached: true,
  } as const
}
