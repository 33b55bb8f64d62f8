import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { builtImage } from '../image/artefact.ts'
import { REGION, type ObjectStore } from '../harness/object-store.ts'
import { freePorts } from '../harness/ports.ts'
import { run } from '../harness/program.ts'
import { removeScratch, scratchDirectory } from '../harness/scratch.ts'
import type { Cluster } from './cluster.ts'

const CHART = new URL('../../chart', import.meta.url).pathname

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
    this.#metricsPort = await freePorts()
    // as systemd makes the root of a real node: mounts of the host reach into pods
    await run('mount', ['--bind', this.directory, this.directory])
    await run('mount', ['--make-rshared', this.directory])
    mkdirSync(this.coreDir, { mode: 0o700 })
    await this.#cluster.helm(
      'install',
      this.name,
      CHART,
      ...this.#values(set),
      '--wait',
      '--timeout',
      '180s',
    )
  }

  async upgrade(...set: string[]): Promise<void> {
    await this.#cluster.helm(
      'upgrade',
      this.name,
      CHART,
      ...this.#values(set),
      '--wait',
      '--timeout',
      '180s',
    )
  }

  async test(): Promise<string> {
    return this.#cluster.helm('test', this.name, '--timeout', '180s', '--logs')
  }

  async uninstall(): Promise<void> {
    await this.#cluster.helm('uninstall', this.name, '--wait', '--timeout', '120s')
  }

  /** What the agent's pod says about itself, for a failing test. */
  async describe(): Promise<string> {
    const say = (...args: string[]): Promise<string> => this.#cluster.kubectl(...args).catch(String)
    return [
      await say('get', 'pods,events', '-A', '-o', 'wide'),
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

  #values(set: readonly string[]): string[] {
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
    }
    return [...Object.entries(values).map(([key, value]) => `${key}=${value}`), ...set].flatMap(
      (each) => ['--set', each],
    )
  }
}
