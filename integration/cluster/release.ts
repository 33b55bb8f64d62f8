import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { builtImage } from '../image/artefact.ts'
import { REGION, type ObjectStore } from '../harness/object-store.ts'
import { freePorts } from '../harness/ports.ts'
import { run } from '../harness/program.ts'
import { removeScratch, scratchDirectory } from '../harness/scratch.ts'
import type { Cluster } from './cluster.ts'

const CHART = new URL('../../chart', import.meta.url).pathname
const VERSION_9 = new URL('./version-9', import.meta.url).pathname

/** The chart, installed with the image of this checkout, a store, and directories of its own. */
export class Release {
  readonly name = 'core-dump-handler'
  readonly directory: string = scratchDirectory()
  readonly hostDir: string = join(this.directory, 'host')
  readonly coreDir: string = join(this.directory, 'cores')
  readonly #cluster: Cluster
  readonly #store: ObjectStore
  #metricsPort = 0

  constructor(cluster: Cluster, store: ObjectStore) {
    this.#cluster = cluster
    this.#store = store
  }

  async importImage(): Promise<void> {
    const { archive } = await builtImage()
    await this.#cluster.containerd.importArchive(archive)
  }

  async install(...set: string[]): Promise<void> {
    await this.makeDirectories()
    await this.#helm('install', CHART, await this.#values(set))
  }

  /** The same release as version 9 would have made it: its objects, a stand-in for its agent. */
  async installVersion9(): Promise<void> {
    await this.makeDirectories()
    mkdirSync(this.hostDir)
    const set = [`hostDirectory=${this.hostDir}`, `coreDirectory=${this.coreDir}`]
    await this.#helm('install', VERSION_9, set)
  }

  async upgrade(...set: string[]): Promise<void> {
    await this.#helm('upgrade', CHART, await this.#values(set))
  }

  async test(): Promise<string> {
    return this.#cluster.helm('test', this.name, '--timeout', '180s', '--logs')
  }

  async uninstall(): Promise<void> {
    const timeout = ['--timeout', '120s']
    await this.#cluster.helm(
      'uninstall',
      this.name,
      '--wait',
      '--cascade',
      'foreground',
      ...timeout,
    )
    // the garbage collector may let the DaemonSet go before a pod it has not heard of yet
    const ours = 'name in (core-dump-ds, core-dump-handler)'
    await this.#cluster.kubectl('wait', '--for=delete', 'pods', '-l', ours, '--timeout=120s')
  }

  /** What the agent's pod says about itself, for a failing test. */
  async describe(): Promise<string> {
    const say = (...args: string[]): Promise<string> => this.#cluster.kubectl(...args).catch(String)
    return [
      await say('get', 'pods', '-A', '-o', 'wide'),
      // a loop of crashes has hundreds of ours
      await say('get', 'events', '-A', '--field-selector', 'reason!=CoreDump'),
      await say('logs', `daemonset/${this.name}`, '--tail=100'),
      await say('logs', `daemonset/${this.name}`, '--tail=100', '--previous'),
    ].join('\n')
  }

  /** What is left of us in the host's directories. */
  leftOver(): string[] {
    return [this.hostDir, this.coreDir].flatMap((directory) =>
      existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : [],
    )
  }

  dispose(): void {
    removeScratch(this.directory)
  }

  /** On a mount of their own. */
  async makeDirectories(): Promise<void> {
    // as systemd makes the root of a real node: mounts of the host reach into pods
    await run('mount', ['--bind', this.directory, this.directory])
    await run('mount', ['--make-rshared', this.directory])
    mkdirSync(this.coreDir, { mode: 0o700 })
  }

  async #helm(verb: 'install' | 'upgrade', chart: string, set: readonly string[]): Promise<void> {
    const values = set.flatMap((each) => ['--set', each])
    await this.#cluster.helm(verb, this.name, chart, ...values, '--wait', '--timeout', '180s')
  }

  async #values(set: readonly string[]): Promise<string[]> {
    this.#metricsPort ||= await freePorts()
    const values = {
      'image.registry': 'localhost',
      'image.pullPolicy': 'Never',
      // the test cluster's pods have no network of their own
      hostNetwork: 'true',
      'metrics.port': String(this.#metricsPort),
      'daemonset.hostDirectory': this.hostDir,
      'daemonset.coreDirectory': this.coreDir,
      'daemonset.eventDirectory': join(this.hostDir, 'events'),
      'daemonset.crioEndpoint': `unix://${this.#cluster.containerd.socket}`,
      destination: `s3://${this.#store.bucket}`,
      's3.endpoint': this.#store.endpoint,
      's3.region': REGION,
      's3.accessKeyId': this.#store.accessKey,
      's3.secretAccessKey': this.#store.secret,
      'limits.minFreeBytes': '0',
      // a crash loop is what these tests are about
      'limits.rateCrashes': '0',
    }
    return [...Object.entries(values).map(([key, value]) => `${key}=${value}`), ...set]
  }
}
