import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base, type TestAPI } from 'vitest'
import { startAgent, type Agent } from './start-agent.ts'

/** Directories that stand in for a node: a sysctl tree, HOST_DIR, CORE_DIR and a destination. */
export class ScratchNode {
  readonly dir: string
  readonly hostDir: string
  readonly coreDir: string
  readonly destination: string
  readonly #agents: Agent[] = []

  constructor(dir: string) {
    this.dir = dir
    this.hostDir = join(dir, 'host')
    this.coreDir = join(dir, 'cores')
    this.destination = join(dir, 'destination')
  }

  /** Run the agent as a child; `env` goes on top of this node's directories. */
  agent(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}, cwd?: string): Agent {
    const all = {
      PATH: process.env['PATH'],
      HOST_DIR: this.hostDir,
      CORE_DIR: this.coreDir,
      SYSCTL_ROOT: join(this.dir, 'sys'),
      DESTINATION: `file:${this.destination}`,
      USE_INOTIFY: 'true',
      ...env,
    }
    const agent = startAgent(args, all, cwd)
    this.#agents.push(agent)
    return agent
  }

  /** Start the daemon and wait until the node is prepared. */
  async daemon(env?: NodeJS.ProcessEnv): Promise<Agent> {
    const agent = this.agent([], env)
    await agent.line(/this node is prepared/)
    return agent
  }

  async sysctl(key: string, value?: string): Promise<string> {
    const path = join(this.dir, 'sys', ...key.split('.'))
    if (value !== undefined) await writeFile(path, `${value}\n`)
    return (await readFile(path, 'utf8')).trimEnd()
  }

  async sysctls(): Promise<string[]> {
    const keys = ['kernel.core_pattern', 'kernel.core_pipe_limit', 'fs.suid_dumpable']
    return Promise.all(keys.map(async (key) => this.sysctl(key)))
  }

  async list(dir: string = this.hostDir): Promise<string[]> {
    return (await readdir(dir)).toSorted()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of this.#agents) await agent.kill('SIGKILL')
    await rm(this.dir, { recursive: true })
  }
}

/** What every scratch node begins with. */
export const ORIGINAL = ['core.%p', '0', '1']

export const test: TestAPI<{ node: ScratchNode }> = base.extend<{ node: ScratchNode }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads the parameter list
  node: async ({}, use) => {
    await using node = new ScratchNode(await mkdtemp(join(tmpdir(), 'agent-')))
    for (const dir of ['sys/kernel', 'sys/fs', 'destination', 'cores']) {
      await mkdir(join(node.dir, dir), { recursive: true })
    }
    await node.sysctl('kernel.core_pattern', ORIGINAL[0])
    await node.sysctl('kernel.core_pipe_limit', ORIGINAL[1])
    await node.sysctl('fs.suid_dumpable', ORIGINAL[2])
    await use(node)
  },
})
