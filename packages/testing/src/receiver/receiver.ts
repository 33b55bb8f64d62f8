import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { type ReadBundle, readBundle } from '../composer/read-bundle.ts'
import { startProgram, type Program } from '../program.ts'
import { removeScratch, scratchDirectory } from '../scratch-directory.ts'
import { until } from '../until.ts'

const RECEIVER = new URL('../../../../apps/receiver/bin/receiver.js', import.meta.url).pathname
const BUILT = new URL('../../../../apps/receiver/dist/cli.js', import.meta.url).pathname

/** The receiver with directories of its own, as a DaemonSet runs it. */
export class TestReceiver {
  readonly directory: string
  readonly hostDir: string
  readonly coreDir: string
  readonly #ownsDirectory: boolean
  readonly #env: Record<string, string>
  #daemon: Program | undefined
  #wrapper: readonly string[] = []

  /** `node`: of an agent; its directories are used. */
  constructor(
    env: Readonly<Record<string, string>> = {},
    node?: { readonly directory: string; readonly hostDir: string; readonly coreDir: string },
  ) {
    if (!existsSync(BUILT)) throw new Error('the receiver is not built: run `npm run build` first')
    this.#ownsDirectory = node === undefined
    this.directory = node?.directory ?? scratchDirectory()
    this.hostDir = node?.hostDir ?? join(this.directory, 'host')
    this.coreDir = node?.coreDir ?? join(this.directory, 'cores')
    mkdirSync(this.hostDir, { recursive: true, mode: 0o700 })
    this.#env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      HOST_DIR: this.hostDir,
      // as in the image: little memory, because what a drain allocates is short-lived
      NODE_OPTIONS: '--max-semi-space-size=1',
      MALLOC_ARENA_MAX: '1',
      ...(node === undefined && { CORE_DIR: this.coreDir }),
      ...env,
    }
    if (node === undefined) this.configure({})
  }

  /** Settings of the next crashes, in `.env`: those of its start win. Crashes of one program are not limited by default. */
  configure(settings: Readonly<Record<string, string>>): void {
    const lines = Object.entries({ RATE_CRASHES: '0', ...settings }).map((pair) => pair.join('='))
    writeFileSync(join(this.hostDir, '.env'), `${lines.join('\n')}\n`)
  }

  get daemon(): Program {
    if (!this.#daemon) throw new Error('the receiver was not started')
    return this.#daemon
  }

  get output(): string {
    return this.#daemon?.output() ?? ''
  }

  /** `kernel.core_pattern` for its socket. */
  get pattern(): string {
    return `@@${this.hostDir}/receiver.sock`
  }

  /** Start it with these capabilities alone, as a container has them. */
  limitTo(capabilities: readonly string[]): this {
    const set = ['-all', ...capabilities.map((name) => `+${name}`)].join()
    this.#wrapper = ['setpriv', '--bounding-set', set, '--inh-caps', set]
    return this
  }

  /** Starts it and waits until it listens. */
  async start(): Promise<Program> {
    const daemon = this.launch()
    await until('the receiver listens', () => {
      if (!daemon.running()) throw new Error(`the receiver ended:\n${daemon.output()}`)
      return daemon.output().includes('Listening on')
    })
    return daemon
  }

  launch(): Program {
    const [program, ...args] = [...this.#wrapper, process.execPath, RECEIVER]
    this.#daemon = startProgram(program, args, {
      log: join(this.directory, 'receiver.log'),
      env: this.#env,
      cwd: this.directory,
    })
    return this.#daemon
  }

  get bundleNames(): string[] {
    return existsSync(this.coreDir)
      ? readdirSync(this.coreDir).filter((name) => /^[^.].*\.zip$/.test(name))
      : []
  }

  /** The bundles of these processes, once all of them are there; of all processes by default. */
  async bundles(count: number): Promise<ReadBundle[]> {
    await until(`${count} bundles`, () => this.bundleNames.length >= count, 60_000)
    const names = this.bundleNames
    return Promise.all(names.map((name) => readBundle(join(this.coreDir, name))))
  }

  /** The bundle of the process `hostPid`. */
  async bundleOf(hostPid: number): Promise<ReadBundle> {
    let found: ReadBundle | undefined
    const seen = new Set<string>()
    await until(`the bundle of process ${hostPid}`, async () => {
      for (const name of this.bundleNames.filter((each) => !seen.has(each))) {
        seen.add(name)
        const bundle = await readBundle(join(this.coreDir, name))
        if (bundle.manifest.crash.hostPid === hostPid) found = bundle
      }
      return found !== undefined
    })
    if (found === undefined) throw new Error('unreachable')
    return found
  }

  /** In MiB: the most that was resident, and what of it is its own now. */
  memory(): { readonly peak: number; readonly anonymous: number } {
    const status = readFileSync(`/proc/${this.daemon.pid}/status`, 'latin1')
    const field = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / 1024
    return { peak: field('VmHWM'), anonymous: field('RssAnon') }
  }

  /** Exit code of its probes. */
  async check(): Promise<number | undefined> {
    const options = { env: this.#env, extendEnv: false, reject: false }
    return (await execa(process.execPath, [RECEIVER, 'check'], options)).exitCode
  }

  /** Frees all processes that it holds. */
  kill(): void {
    process.kill(this.daemon.pid, 'SIGKILL')
  }

  /** Ends it and removes its directories; its pattern must not be in force. */
  async dispose(): Promise<void> {
    await this.#daemon?.stop()
    if (this.#ownsDirectory) removeScratch(this.directory)
  }
}
