import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import * as v from 'valibot'
import { storeClient } from '@core-dump-handler/testing/store/object-store'
import { Bundle } from '@core-dump-handler/testing/bundle/bundle'
import { until } from '@core-dump-handler/testing/until'
import type { Settings } from './settings.ts'

const CHART = new URL('../../../chart', import.meta.url).pathname
const NODE_MS = 60_000
const OBJECT_MS = 120_000

/** One try on one node of a cluster: everything it creates has this name. */
export class Trial {
  readonly name: string = `core-dump-test-${randomBytes(4).toString('hex')}`
  readonly directory: string = mkdtempSync(join(tmpdir(), 'own-cluster-'))
  readonly #settings: Settings
  readonly #store: ReturnType<typeof storeClient>

  constructor(settings: Settings) {
    this.#settings = settings
    const { region, endpoint, accessKey, secret, bucket } = settings
    const url = endpoint ?? `https://s3.${region}.amazonaws.com`
    this.#store = storeClient({ endpoint: url, accessKey, secret }, { bucket, region })
  }

  /** A node that is ready and takes pods: the one that was named, or any. */
  async chooseNode(): Promise<string> {
    const { node: name } = this.#settings
    const node = await until(
      name ? `node ${name} is ready and takes pods` : 'a node is ready and takes pods',
      async () => {
        const { items } = v.parse(NODES, JSON.parse(await kubectl('get', 'nodes', '-o', 'json')))
        return items.find((each) => takesPods(each) && (!name || each.metadata.name === name))
      },
      NODE_MS,
    )
    return node.metadata.labels['kubernetes.io/hostname'] ?? node.metadata.name
  }

  async install(node: string, helmOptions: readonly string[]): Promise<void> {
    const { image, bucket, region, endpoint, accessKey, secret, hostDirectory } = this.#settings
    await kubectl('create', 'namespace', this.name)
    const admit = 'pod-security.kubernetes.io/enforce=privileged'
    await kubectl('label', 'namespace', this.name, admit)
    const values = join(this.directory, 'values.json')
    const content = {
      image,
      destination: `s3://${bucket}/${this.name}`,
      // in a file: arguments of programs are seen by every user of this machine
      s3: { region, endpoint: endpoint ?? '', accessKeyId: accessKey, secretAccessKey: secret },
      nodeSelector: { 'kubernetes.io/hostname': node },
      daemonset: {
        hostDirectory,
        coreDirectory: `${hostDirectory}/cores`,
        eventDirectory: `${hostDirectory}/events`,
      },
    }
    writeFileSync(values, JSON.stringify(content), { mode: 0o600 })
    await helm('install', this.name, CHART, '-n', this.name, '-f', values, ...helmOptions, '--wait')
  }

  /** Let a pod crash; resolves with the key of its object once it proves to be that pod's. */
  async crash(node: string): Promise<string> {
    const pod = join(this.directory, 'pod.json')
    const { image } = this.#settings
    const container = {
      name: 'crasher',
      image: `${image.registry}/${image.repository}:${image.tag}`,
      command: ['/app/core-dump-agent', 'crash-now', 'canary-00000000'],
    }
    const spec = {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      nodeSelector: { 'kubernetes.io/hostname': node },
      containers: [container],
    }
    const metadata = { name: 'crasher', namespace: this.name }
    writeFileSync(pod, JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata, spec }))
    await kubectl('apply', '-f', pod)
    const uid = await kubectl('get', 'pod', 'crasher', '-n', this.name, '-o', UID)
    return until(
      'an object in the bucket',
      async () => {
        for (const key of await this.#store.keys(`${this.name}/`)) {
          const file = join(this.directory, 'bundle.zip')
          await this.#store.fetch(key, file)
          const { manifest } = await Bundle.open(file)
          const { status, podUid, pod: name, namespace } = manifest.identity
          if (status !== 'verified' || podUid !== uid) continue
          if (name === 'crasher' && namespace === this.name && manifest.core.complete) return key
          throw new Error(`${key} is of the pod, and says otherwise: ${JSON.stringify(manifest)}`)
        }
        return undefined
      },
      OBJECT_MS,
    )
  }

  /** What a failure leaves to look at. */
  async describe(): Promise<string> {
    const say = (...args: string[]): Promise<string> =>
      kubectl('-n', this.name, ...args).catch(String)
    const logs = ['logs', '-l', 'app.kubernetes.io/instance', '--all-containers', '--tail=50']
    return [await say('get', 'pods,events', '-o', 'wide'), await say(...logs)].join('\n')
  }

  /** Uninstall, delete objects and namespace; continues after a failure, and throws it at the end. */
  async remove(): Promise<void> {
    const steps = await Promise.allSettled([
      this.#store.deleteAll(`${this.name}/`),
      this.#uninstall(),
    ])
    rmSync(this.directory, { recursive: true })
    const failed = steps.flatMap((step) => (step.status === 'rejected' ? [step.reason] : []))
    if (failed.length > 0) throw new AggregateError(failed, `Not all of ${this.name} is gone`)
  }

  async #uninstall(): Promise<void> {
    try {
      await helm('uninstall', this.name, '-n', this.name, '--ignore-not-found', '--wait')
    } finally {
      await kubectl('delete', 'namespace', this.name, '--ignore-not-found', '--timeout=120s')
    }
  }
}

function takesPods({ spec, status }: v.InferOutput<typeof NODE>): boolean {
  const isReady = status.conditions.some(
    ({ type, status: is }) => type === 'Ready' && is === 'True',
  )
  const isTainted = spec.taints?.some(({ effect }) => effect !== 'PreferNoSchedule') ?? false
  return isReady && !isTainted && !spec.unschedulable
}

const UID = 'jsonpath={.metadata.uid}'

const NODE = v.object({
  metadata: v.object({ name: v.string(), labels: v.record(v.string(), v.string()) }),
  spec: v.object({
    unschedulable: v.optional(v.boolean()),
    taints: v.optional(v.array(v.object({ effect: v.string() }))),
  }),
  status: v.object({
    conditions: v.array(v.object({ type: v.string(), status: v.string() })),
  }),
})
const NODES = v.object({ items: v.array(NODE) })

const kubectl = async (...args: string[]): Promise<string> => (await execa('kubectl', args)).stdout
const helm = async (...args: string[]): Promise<string> => (await execa('helm', args)).stdout
