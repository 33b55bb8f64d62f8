import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { CORE_SYSCTLS } from '../kernel/kernel.ts'
import type { MemoryCgroup } from '../kernel/memory-cgroup.ts'
import { BUCKET, REGION, type S3Account } from '../store/object-store.ts'
import { startProgram, type Program } from '../program.ts'
import { removeScratch, scratchDirectory } from '../scratch-directory.ts'
import { until } from '../until.ts'

const AGENT = new URL('../../../../apps/agent/bin/agent.js', import.meta.url).pathname
const BUILT = new URL('../../../../apps/agent/dist/cli.js', import.meta.url).pathname

export interface CommandResult {
  /** Undefined when a signal or the time limit ended it. */
  readonly code: number | undefined
  readonly output: string
}

/** The agent's command with directories of its own, as a DaemonSet runs it. */
export class Agent {
  readonly directory: string = scratchDirectory()
  readonly hostDir: string = join(this.directory, 'host')
  readonly coreDir: string = join(this.directory, 'cores')
  readonly #env: Record<string, string>
  #daemon: Program | undefined
  #wrapper: readonly string[] = []

  constructor(env: Readonly<Record<string, string>> = {}) {
    if (!existsSync(BUILT)) throw new Error('the agent is not built: run `npm run build` first')
    mkdirSync(this.coreDir)
    this.#env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      HOST_DIR: this.hostDir,
      CORE_DIR: this.coreDir,
      // tests begin once the pattern is set, and count each crash
      CANARY: 'false',
      ...env,
    }
  }

  get daemon(): Program {
    if (!this.#daemon) throw new Error('the agent was not started')
    return this.#daemon
  }

  /** Change settings of the next start. */
  set(env: Readonly<Record<string, string>>): void {
    Object.assign(this.#env, env)
  }

  /** Use files in its own directory instead of this machine's sysctls. */
  spareKernel(): this {
    const root = join(this.directory, 'sysctl')
    for (const key of CORE_SYSCTLS) {
      const path = join(root, key.replace('.', '/'))
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, key === 'kernel.core_pattern' ? 'core\n' : '0\n')
    }
    this.set({ SYSCTL_ROOT: root })
    return this
  }

  /** Start it in a cgroup. */
  confine(cgroup: MemoryCgroup): this {
    this.#wrapper = ['sh', '-c', `echo $$ > '${cgroup.procs}' && exec "$0" "$@"`]
    return this
  }

  /** Resolve names by this name server alone, in a mount namespace of its own. */
  resolveBy(nameServer: string): this {
    const files = { 'resolv.conf': `nameserver ${nameServer}\noptions timeout:1 attempts:1\n` }
    const mounts = Object.entries({ ...files, hosts: '127.0.0.1 localhost\n' }).map(
      ([name, content]) => {
        writeFileSync(join(this.directory, name), content)
        return `mount --bind '${join(this.directory, name)}' /etc/${name}`
      },
    )
    const script = `set -e; ${mounts.join('; ')}; exec "$0" "$@"`
    this.#wrapper = ['unshare', '--mount', 'sh', '-c', script]
    return this
  }

  /** Start it as on a kernel with these `core_modes`, in a mount namespace of its own. */
  withCoreModes(modes: readonly string[]): this {
    const file = join(this.directory, 'core_modes')
    writeFileSync(file, modes.map((mode) => `${mode}\n`).join(''))
    const script = `mount --bind '${file}' /proc/sys/kernel/core_modes && exec "$0" "$@"`
    this.#wrapper = ['unshare', '--mount', 'sh', '-c', script]
    return this
  }

  /** Start it in a cgroup, by the path of its `cgroup.procs`. */
  within(procs: string): this {
    this.#wrapper = ['sh', '-c', 'echo 0 > "$0" && exec "$@"', procs]
    return this
  }

  /** Whether the pattern in force, or the file in its place, names this agent's composer. */
  get prepared(): boolean {
    const read = (path: string): string =>
      readFileSync(join(this.#env['SYSCTL_ROOT'] ?? '/proc/sys', path), 'utf8').trimEnd()
    // the last of the three sysctls that the agent sets
    const isLastSet = read('fs/suid_dumpable') === (this.#env['SUID_DUMPABLE'] ?? '2')
    return isLastSet && read('kernel/core_pattern').startsWith(`|${this.hostDir}/cdc `)
  }

  /** The daemons' output until now. */
  get output(): string {
    return this.#daemon?.output() ?? ''
  }

  /** Names in the core directory: waiting bundles and unfinished files. */
  get waiting(): string[] {
    return readdirSync(this.coreDir)
  }

  /** Start the daemon and wait until the node is prepared. */
  async start(): Promise<Program> {
    const daemon = this.launch()
    await until('the agent prepares the node', () => {
      if (!daemon.running()) throw new Error(`the agent ended:\n${daemon.output()}`)
      return this.prepared
    })
    return daemon
  }

  launch(): Program {
    const [program, ...args] = [...this.#wrapper, process.execPath, AGENT]
    this.#daemon = startProgram(program, args, {
      log: join(this.directory, 'agent.log'),
      env: { ...this.#env },
      cwd: this.directory,
    })
    return this.#daemon
  }

  /** Run one of its commands, such as `remove` or `sweep`. */
  async command(...args: string[]): Promise<CommandResult> {
    const { exitCode, stdout, stderr } = await execa(process.execPath, [AGENT, ...args], {
      env: this.#env,
      extendEnv: false,
      cwd: this.directory,
      timeout: 60_000,
      reject: false,
      stripFinalNewline: false,
    })
    return { code: exitCode, output: stdout + stderr }
  }

  /** End it and remove its directories; the node must be restored before. */
  async dispose(): Promise<void> {
    await this.#daemon?.stop()
    removeScratch(this.directory)
  }
}

/** Settings of a store under version 9's names. */
export function s3Settings(account: S3Account): Record<string, string> {
  return {
    S3_ENDPOINT: account.endpoint,
    S3_REGION: REGION,
    S3_BUCKET_NAME: BUCKET,
    S3_ACCESS_KEY: account.accessKey,
    S3_SECRET: account.secret,
  }
}
