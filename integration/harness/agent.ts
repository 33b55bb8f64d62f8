import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { BUCKET, REGION, type S3Account } from './object-store.ts'
import { run, startProgram, type Program } from './program.ts'
import { removeScratch, scratchDirectory } from './scratch.ts'

const AGENT = new URL('../../apps/agent/bin/agent.js', import.meta.url).pathname
const BUILT = new URL('../../apps/agent/dist/cli.js', import.meta.url).pathname

export interface CommandResult {
  readonly code: number
  readonly output: string
}

/** The agent's command with directories of its own, as a DaemonSet would run it. */
export class Agent {
  readonly directory: string = scratchDirectory()
  readonly hostDir: string = join(this.directory, 'host')
  readonly coreDir: string = join(this.directory, 'cores')
  readonly #env: Record<string, string>
  #daemon: Program | undefined

  constructor(env: Readonly<Record<string, string>> = {}) {
    if (!existsSync(BUILT)) throw new Error('the agent is not built: run `npm run build` first')
    mkdirSync(this.coreDir)
    this.#env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      HOST_DIR: this.hostDir,
      CORE_DIR: this.coreDir,
      ...env,
    }
  }

  get daemon(): Program {
    if (!this.#daemon) throw new Error('the agent was not started')
    return this.#daemon
  }

  /** What the daemons wrote so far. */
  get output(): string {
    return this.#daemon?.output() ?? ''
  }

  /** Names in the core directory: what waits there, and what is being written. */
  get waiting(): string[] {
    return readdirSync(this.coreDir)
  }

  start(env: Readonly<Record<string, string>> = {}): Program {
    this.#daemon = startProgram(process.execPath, [AGENT], {
      log: join(this.directory, 'agent.log'),
      env: { ...this.#env, ...env },
      cwd: this.directory,
    })
    return this.#daemon
  }

  /** Run one of its commands to the end, such as `remove` or `sweep`. */
  async command(...args: string[]): Promise<CommandResult> {
    const options = { env: this.#env, cwd: this.directory, timeout: 60_000 }
    try {
      const { stdout, stderr } = await run(process.execPath, [AGENT, ...args], options)
      return { code: 0, output: stdout + stderr }
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
      return { code, output: stdout + stderr }
    }
  }

  /** End it and remove its directories; the node must have been given back before. */
  async dispose(): Promise<void> {
    await this.#daemon?.stop()
    removeScratch(this.directory)
  }
}

/** Settings by which the agent finds a store, the way version 9 took them. */
export function s3Settings(account: S3Account): Record<string, string> {
  return {
    S3_ENDPOINT: account.endpoint,
    S3_REGION: REGION,
    S3_BUCKET_NAME: BUCKET,
    S3_ACCESS_KEY: account.accessKey,
    S3_SECRET: account.secret,
  }
}
