import { join } from 'node:path'
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

const DEFINITION = join(import.meta.dirname, '../../proto/runtime.proto')

/** What the runtime knows; messages as in CRI, camelCase, times as strings of nanoseconds. */
export interface Cluster {
  readonly containers: readonly FakeContainer[]
  readonly sandboxes: readonly FakeSandbox[]
  readonly images: readonly {
    id: string
    repoTags: string[]
    repoDigests: string[]
    size: number
  }[]
  /** Calls that never answer. */
  readonly hangs?: readonly string[]
}

export interface FakeContainer {
  readonly id: string
  readonly sandboxId: string
  readonly name: string
  readonly attempt?: number
  readonly state?: number
  readonly image?: string
  readonly imageRef?: string
  readonly logPath?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly info?: object
}

export interface FakeSandbox {
  readonly id: string
  readonly name: string
  readonly namespace: string
  readonly uid: string
  readonly state?: number
  readonly createdAt?: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly info?: object
}

export interface CriServer {
  /** Names of the methods called, in order. */
  readonly calls: string[]
  close(): void
}

type Question = Record<string, Record<string, string> & string>
type Unary = (
  call: { request: Question },
  reply: (error: object | null, answer?: object) => void,
) => void

/** A runtime served by grpc-js, which knows nothing of our own channel and codec. */
export async function serveCri(socket: string, cluster: Cluster): Promise<CriServer> {
  const definition = loadSync(DEFINITION, { longs: String, defaults: true })
  const { runtime } = loadPackageDefinition(definition) as unknown as {
    runtime: { v1: Record<string, { service: ServiceDefinition }> }
  }
  const calls: string[] = []
  const answers: Record<string, (question: Question) => object | undefined> = {
    ContainerStatus: ({ containerId }) => containerStatus(cluster, String(containerId)),
    PodSandboxStatus: ({ podSandboxId }) => sandboxStatus(cluster, String(podSandboxId)),
    ListContainers: ({ filter }) => ({
      containers: cluster.containers
        .filter(({ sandboxId, state = 1 }) => sandboxId === filter?.['podSandboxId'] && state === 1)
        .map((one) => ({ ...container(cluster, one), podSandboxId: one.sandboxId })),
    }),
    ListPodSandbox: () => ({ items: cluster.sandboxes.map((one) => sandbox(one)) }),
    ImageStatus: ({ image }) => ({
      image: cluster.images.find(({ id, repoTags, repoDigests }) =>
        [id, ...repoTags, ...repoDigests].includes(String(image?.['image'])),
      ),
    }),
  }
  const handlers = Object.entries(answers).map(([name, answer]): [string, Unary] => [
    name,
    ({ request }, reply) => {
      calls.push(name)
      if (cluster.hangs?.includes(name) === true) return
      const found = answer(request)
      if (found !== undefined) return reply(null, found)
      reply({ code: status.NOT_FOUND, details: 'an error occurred when try to find it: not found' })
    },
  ])
  const server = new Server()
  for (const name of ['RuntimeService', 'ImageService']) {
    const { service } = runtime.v1[name] ?? { service: {} }
    const own = handlers.filter(([method]) => method in service)
    server.addService(service, Object.fromEntries(own))
  }
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix://${socket}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    )
  })
  return { calls, close: () => server.forceShutdown() }
}

function labelsOf({ name, namespace, uid }: FakeSandbox): Record<string, string> {
  return {
    'io.kubernetes.pod.name': name,
    'io.kubernetes.pod.namespace': namespace,
    'io.kubernetes.pod.uid': uid,
  }
}

function container(cluster: Cluster, one: FakeContainer): object {
  const pod = cluster.sandboxes.find(({ id }) => id === one.sandboxId)
  return {
    id: one.id,
    metadata: { name: one.name, attempt: one.attempt ?? 0 },
    state: one.state ?? 1,
    createdAt: '1795383701033706848',
    startedAt: '1795383701100000000',
    image: { image: one.image ?? '' },
    imageRef: one.imageRef ?? '',
    logPath: one.logPath ?? '',
    labels: {
      ...(pod && labelsOf(pod)),
      'io.kubernetes.container.name': one.name,
      ...one.labels,
    },
    annotations: {},
  }
}

function containerStatus(cluster: Cluster, id: string): object | undefined {
  const one = cluster.containers.find((each) => each.id === id)
  const info = { info: JSON.stringify({ sandboxID: one?.sandboxId, pid: 7, ...one?.info }) }
  return one && { status: container(cluster, one), info }
}

function sandbox(one: FakeSandbox): object {
  const { id, name, namespace, uid, state = 0, createdAt = '1795383700000000001' } = one
  const metadata = { name, namespace, uid, attempt: 0 }
  const { annotations = {} } = one
  return { id, metadata, state, createdAt, labels: { app: 'web', ...labelsOf(one) }, annotations }
}

function sandboxStatus({ sandboxes }: Cluster, id: string): object | undefined {
  const one = sandboxes.find((each) => each.id === id)
  const network = { ip: '10.0.0.1', additionalIps: [{ ip: 'fd00::1' }] }
  return (
    one && { status: { ...sandbox(one), network }, info: { info: JSON.stringify(one.info ?? {}) } }
  )
}
