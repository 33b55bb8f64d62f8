import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { builtImage } from '../image/built-image.ts'
import { REGION, type ObjectStore } from '@core-dump-handler/testing/store/object-store'
import { freePorts } from '@core-dump-handler/testing/network/free-ports'
import { removeScratch, scratchDirectory } from '@core-dump-handler/testing/scratch-directory'
import type { Cluster } from './cluster.ts'

const CHECKOUT = new URL('../../', import.meta.url).pathname
const CHART = join(CHECKOUT, 'chart')
const GUIDE = join(CHECKOUT, 'docs/upgrading-from-ibm.md')
const VERSION_9 = new URL('./version-9', import.meta.url).pathname

/** The chart, installed with the image of this checkout, a store, and directories of its own. */
export class Release {
  readonly name = 'core-dump-handler'
  readonly directory: string = scratchDirectory()
  readonly hostDir: string = join(this.directory, 'host')
  readonly coreDir: string = join(this.directory, 'cores')
  readonly #cluster: Cluster
  readonly store: ObjectStore
  readonly #namespace: string
  #metricsPort = 0

  constructor(cluster: Cluster, store: ObjectStore, namespace = 'default') {
    this.#namespace = namespace
    this.#cluster = cluster
    this.store = store
  }

  async importImage(): Promise<void> {
    const { archive } = await builtImage()
    await this.#cluster.containerd.importArchive(archive)
  }

  async install(...set: string[]): Promise<void> {
    await this.makeDirectories()
    const [, options] = await this.#values(set)
    await this.#helm('install', CHART, ...options)
  }

  /** The same release as version 9 would have made it: its objects, a stand-in for its agent. */
  async installVersion9(): Promise<void> {
    await this.makeDirectories()
    mkdirSync(this.hostDir)
    const set = `hostDirectory=${this.hostDir},coreDirectory=${this.coreDir}`
    await this.#helm('install', VERSION_9, '--set', set, '--create-namespace')
  }

  /** Upgrade from version 9 by the very commands of the guide; returns what they print. */
  async upgradeByGuide(): Promise<string> {
    const commands = /```sh\n([^`]+)```/.exec(readFileSync(GUIDE, 'utf8'))?.[1] ?? ''
    const [file] = await this.#values()
    const script = commands.replace('YOUR-VALUES.yaml', file).replace('REGISTRY', 'localhost')
    return this.#cluster.shell(script, CHECKOUT)
  }

  async upgrade(...set: string[]): Promise<void> {
    const [, options] = await this.#values(set)
    await this.#helm('upgrade', CHART, ...options)
  }

  async test(): Promise<string> {
    return this.#cluster.helm('test', this.name, ...this.#where, '--timeout', '180s', '--logs')
  }

  async isInstalled(): Promise<boolean> {
    return (await this.#cluster.helm('list', ...this.#where, '--short'))
      .split('\n')
      .includes(this.name)
  }

  async uninstall(): Promise<void> {
    const timeout = ['--timeout', '120s']
    await this.#cluster.helm(
      'uninstall',
      this.name,
      ...this.#where,
      '--wait',
      '--cascade',
      'foreground',
      ...timeout,
    )
    // the garbage collector may let the DaemonSet go before a pod it has not heard of yet
    const ours = 'name in (core-dump-ds, core-dump-handler)'
    await this.#cluster.kubectl(
      'wait',
      '--for=delete',
      'pods',
      '-l',
      ours,
      ...this.#where,
      '--timeout=120s',
    )
  }

  /** Runs a program in the agent's container of a pod. */
  async exec(...command: string[]): Promise<string> {
    const pod = `daemonset/${this.name}`
    return this.#cluster.kubectl('exec', pod, ...this.#where, '--', ...command)
  }

  /** The logs of both containers of the agent's pod. */
  async logs(): Promise<string> {
    const pod = `daemonset/${this.name}`
    return this.#cluster.kubectl('logs', pod, ...this.#where, '--all-containers', '--tail=-1')
  }

  /** What the agent's pod says about itself, for a failing test. */
  async describe(): Promise<string> {
    const say = (...args: string[]): Promise<string> => this.#cluster.kubectl(...args).catch(String)
    return [
      await say('get', 'pods', '-A', '-o', 'wide'),
      // a loop of crashes has hundreds of ours
      await say('get', 'events', '-A', '--field-selector', 'reason!=CoreDump'),
      await say('logs', `daemonset/${this.name}`, ...this.#where, '--tail=100', '--all-containers'),
      await say('logs', `daemonset/${this.name}`, ...this.#where, '--tail=100', '--previous'),
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
    await execa('mount', ['--bind', this.directory, this.directory])
    await execa('mount', ['--make-rshared', this.directory])
    mkdirSync(this.coreDir, { mode: 0o700 })
  }

  async #helm(verb: 'install' | 'upgrade', chart: string, ...options: string[]): Promise<void> {
    const how = [...this.#where, ...options, '--wait', '--timeout', '180s']
    await this.#cluster.helm(verb, this.name, chart, ...how)
  }

  get #where(): string[] {
    return ['--namespace', this.#namespace]
  }

  /** Path of a file of values, and more of them as options. */
  async #values(set: readonly string[] = []): Promise<[file: string, options: string[]]> {
    this.#metricsPort ||= await freePorts()
    const { accessKey: accessKeyId, secret: secretAccessKey, endpoint, bucket } = this.store
    const values = {
      image: { registry: 'localhost', pullPolicy: 'Never' },
      // the test cluster's pods have no network of their own
      hostNetwork: true,
      metrics: { port: this.#metricsPort },
      daemonset: {
        hostDirectory: this.hostDir,
        coreDirectory: this.coreDir,
        eventDirectory: join(this.hostDir, 'events'),
        crioEndpoint: `unix://${this.#cluster.containerd.socket}`,
        hostContainerRuntimeEndpoint: this.#cluster.containerd.socket,
      },
      destination: `s3://${bucket}`,
      s3: { endpoint, region: REGION, accessKeyId, secretAccessKey },
      // a crash loop is what these tests are about
      limits: { minFreeBytes: 0, rateCrashes: 0 },
    }
    const file = join(this.directory, 'values.yaml')
    writeFileSync(file, JSON.stringify(values), { mode: 0o600 })
    return [file, ['-f', file, ...set.flatMap((each) => ['--set', each])]]
  }
}
