import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:net'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { findTool } from '@core-dump-handler/testing/tools/find-tool'
import { Containerd } from '@core-dump-handler/testing/containerd/containerd'
import type { ContainerdVersion } from '@core-dump-handler/testing/containerd/containerd-config'
import { freePorts } from '@core-dump-handler/testing/network/free-ports'
import { startProgram, type Program } from '@core-dump-handler/testing/program'
import { removeScratch, scratchDirectory } from '@core-dump-handler/testing/scratch-directory'
import { until } from '@core-dump-handler/testing/until'
import { makeCertificates } from './certificates.ts'
import { kubeconfig, kubeletConfiguration } from './configuration.ts'
import {
  apiServerFlags,
  controllerFlags,
  etcdFlags,
  type Flags,
  kubeletFlags,
  kubeletPort,
  type Place,
  schedulerFlags,
} from './flags.ts'
import { rememberNode } from './node-settings.ts'
import { API_SERVICE_ADDRESS, serveApiAddress } from './service-address.ts'

/** A real Kubernetes of one node on loopback: etcd, API server, controllers, scheduler, kubelet, containerd. */
export class Cluster {
  readonly directory: string = scratchDirectory()
  readonly containerd: Containerd
  /** What `kubectl` and `helm` need to speak to this cluster and to leave no file elsewhere. */
  readonly env: Record<string, string>
  /** What is written here as `<name>.json` becomes a static pod. */
  readonly manifests: string = join(this.directory, 'manifests')
  readonly #programs: Program[] = []
  readonly #restoreNode = rememberNode()
  #apiAddress: Server | undefined
  #binaries = ''
  #helm = ''
  #stopped = false

  constructor(version: ContainerdVersion = '2') {
    this.containerd = new Containerd(version)
    const homes = ['KUBECACHEDIR', 'HELM_CACHE_HOME', 'HELM_CONFIG_HOME', 'HELM_DATA_HOME']
    this.env = {
      ...Object.fromEntries(homes.map((name) => [name, join(this.directory, 'home')])),
      HOME: join(this.directory, 'home'),
      KUBECONFIG: join(this.directory, 'kubeconfig'),
      PATH: process.env['PATH'] ?? '',
    }
  }

  async start(): Promise<this> {
    this.#binaries = dirname(await findTool('kubeone'))
    this.#helm = await findTool('helm')
    for (const name of ['home', 'log', 'manifests', 'pki']) mkdirSync(join(this.directory, name))
    await this.containerd.start()
    const port = await freePorts(8)
    const pki = join(this.directory, 'pki')
    await makeCertificates(pki, ['127.0.0.1', API_SERVICE_ADDRESS])
    const token = randomBytes(24).toString('hex')
    writeFileSync(join(pki, 'tokens.csv'), `${token},admin,admin,system:masters\n`, { mode: 0o600 })
    writeFileSync(
      this.env['KUBECONFIG'] ?? '',
      kubeconfig(`https://127.0.0.1:${port}`, join(pki, 'ca.crt'), token),
      { mode: 0o600 },
    )

    const place = { directory: this.directory, kubeconfig: this.env['KUBECONFIG'] ?? '', port }
    this.#launch('etcd', etcdFlags(place))
    this.#launch('kube-apiserver', apiServerFlags(place))
    // without an API server the kubelet would end
    await this.#ready(
      'the API server is ready',
      () => this.kubectl('get', '--raw', '/readyz'),
      180_000,
    )
    this.#apiAddress = await serveApiAddress(port)
    this.#launch('kube-controller-manager', controllerFlags(place))
    this.#launch('kube-scheduler', schedulerFlags(place))
    this.#startKubelet(place)
    const condition = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
    await this.#ready(
      'the node is ready',
      async () => (await this.kubectl('get', 'node', 'localhost', '-o', condition)) === 'True',
      120_000,
    )
    await this.#ready(
      'the default service account is there',
      () => this.kubectl('get', 'serviceaccount', 'default'),
      60_000,
    )
    return this
  }

  async kubectl(...args: string[]): Promise<string> {
    return (await execa(join(this.#binaries, 'kubectl'), args, { env: this.env, extendEnv: false }))
      .stdout
  }

  /** `kubectl apply` of one object or a list. */
  async apply(object: object): Promise<void> {
    const file = join(this.directory, 'object.json')
    writeFileSync(file, JSON.stringify(object))
    await this.kubectl('apply', '-f', file)
  }

  /** One field of an object such as `pod/shop`, by its JSONPath. */
  async field(object: string, path: string, namespace = 'default'): Promise<string> {
    return this.kubectl('get', object, '-n', namespace, '-o', `jsonpath={${path}}`)
  }

  async helm(...args: string[]): Promise<string> {
    return (await execa(this.#helm, args, { env: this.env, extendEnv: false })).stdout
  }

  /** Commands as a user types them, with `kubectl` and `helm` on PATH; ends at the first that fails. */
  async shell(commands: string, cwd: string): Promise<string> {
    const path = [this.#binaries, dirname(this.#helm), this.env['PATH']].join(':')
    const env = { ...this.env, PATH: path }
    return (await execa('/bin/sh', ['-ec', commands], { env, cwd, extendEnv: false })).stdout
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    try {
      await this.#deletePods()
    } finally {
      this.#apiAddress?.close()
      // the state of the control plane is thrown away: it gets no time to save it
      for (const program of this.#programs.toReversed()) await program.stop('SIGKILL')
      await this.containerd.stop()
      this.#restoreNode()
      removeScratch(this.directory)
    }
  }

  async #deletePods(): Promise<void> {
    if (!this.#programs.some((program) => program.running())) return
    // the kubelet creates a mirror pod again while its manifest exists
    for (const name of readdirSync(this.manifests)) rmSync(join(this.manifests, name))
    const kinds = 'daemonset,deployment,statefulset,job,replicaset'
    await this.kubectl('delete', kinds, '-A', '--all', '--wait=false', '--cascade=foreground')
    await this.kubectl('delete', 'pod', '-A', '--all', '--grace-period=5', '--timeout=60s')
  }

  #startKubelet(place: Place): void {
    const config = join(this.directory, 'kubelet.json')
    const { socket } = this.containerd
    writeFileSync(
      config,
      kubeletConfiguration(this.directory, this.manifests, socket, kubeletPort(place)),
    )
    this.#launch('kubelet', kubeletFlags(place, config))
  }

  #launch(name: string, flags: Flags): void {
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)
    const log = join(this.directory, 'log', name)
    this.#programs.push(
      startProgram(join(this.#binaries, name), args, { log, cwd: this.directory }),
    )
  }

  /** Waits, but not for a cluster of which a part has already ended. */
  async #ready(what: string, probe: () => Promise<unknown>, timeoutMs: number): Promise<void> {
    let dead: Program | undefined
    await until(
      what,
      async () => (dead = this.#programs.find((program) => !program.running())) || (await probe()),
      timeoutMs,
    )
    if (dead)
      throw new Error(
        `A part of the cluster ended while waiting: ${what}\n${dead.output().slice(-2000)}`,
      )
  }
}
