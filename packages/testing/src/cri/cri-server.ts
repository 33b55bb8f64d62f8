import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Server, ServerCredentials, status } from '@grpc/grpc-js'
import { type AnyDefinition, loadSync, type ServiceDefinition } from '@grpc/proto-loader'

const PACKAGE = createRequire(import.meta.url).resolve('@core-dump-handler/cri/package.json')
const DEFINITION = join(dirname(PACKAGE), 'proto/runtime.proto')

/** What the runtime knows. Fields are named as in CRI, in camelCase; times are strings of nanoseconds. */
export interface FakeRuntime {
  readonly containers: readonly FakeContainer[]
  readonly sandboxes: readonly FakeSandbox[]
  readonly images: readonly {
    id: string
    repoTags: string[]
    repoDigests: string[]
    size: number
  }[]
  /** Methods that never answer. */
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
  readonly createdAt?: string
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

type Request = Record<string, Record<string, string> & string>
type Unary = (
  call: { request: Request },
  reply: (error: object | null, response?: object) => void,
) => void

/** A CRI server on grpc-js, which is independent of the package's own channel and codec. */
export async function serveCri(socket: string, known: FakeRuntime): Promise<CriServer> {
  const definition = loadSync(DEFINITION, { longs: String, defaults: true })
  const calls: string[] = []
  const responses: Record<string, (request: Request) => object | undefined> = {
    ContainerStatus: ({ containerId }) => containerStatus(known, String(containerId)),
    PodSandboxStatus: ({ podSandboxId }) => sandboxStatus(known, String(podSandboxId)),
    ListContainers: ({ filter }) => ({
      containers: known.containers
        .filter(({ sandboxId, state = 1 }) => sandboxId === filter?.['podSandboxId'] && state === 1)
        .map((one) => ({ ...container(known, one), podSandboxId: one.sandboxId })),
    }),
    ListPodSandbox: () => ({ items: known.sandboxes.map((one) => sandbox(one)) }),
    ImageStatus: ({ image }) => ({
      image: known.images.find(({ id, repoTags, repoDigests }) =>
        [id, ...repoTags, ...repoDigests].includes(String(image?.['image'])),
      ),
    }),
  }
  const handlers = Object.entries(responses).map(([name, response]): [string, Unary] => [
    name,
    ({ request }, reply) => {
      calls.push(name)
      if (known.hangs?.includes(name) === true) return
      const found = response(request)
      if (found !== undefined) return reply(null, found)
      // the text of containerd
      reply({ code: status.NOT_FOUND, details: 'an error occurred when try to find it: not found' })
    },
  ])
  const server = new Server()
  for (const name of ['RuntimeService', 'ImageService']) {
    const service = serviceOf(definition[`runtime.v1.${name}`])
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

function serviceOf(definition: AnyDefinition | undefined): ServiceDefinition {
  // a message or an enum has a `format`
  if (definition === undefined || 'format' in definition) throw new Error('not a service')
  return definition
}

function labelsOf({ name, namespace, uid }: FakeSandbox): Record<string, string> {
  return {
    'io.kubernetes.pod.name': name,
    'io.kubernetes.pod.namespace': namespace,
    'io.kubernetes.pod.uid': uid,
  }
}

function container(known: FakeRuntime, one: FakeContainer): object {
  const pod = known.sandboxes.find(({ id }) => id === one.sandboxId)
  return {
    id: one.id,
    metadata: { name: one.name, attempt: one.attempt ?? 0 },
    state: one.state ?? 1,
    createdAt: one.createdAt ?? '1795383701033706848',
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

function containerStatus(known: FakeRuntime, id: string): object | undefined {
  const one = known.containers.find((each) => each.id === id)
  const info = { info: JSON.stringify({ sandboxID: one?.sandboxId, pid: 7, ...one?.info }) }
  return one && { status: container(known, one), info }
}

function sandbox(one: FakeSandbox): object {
  const { id, name, namespace, uid, state = 0, createdAt = '1795383700000000001' } = one
  const metadata = { name, namespace, uid, attempt: 0 }
  const { annotations = {} } = one
  return { id, metadata, state, createdAt, labels: { app: 'web', ...labelsOf(one) }, annotations }
}

function sandboxStatus({ sandboxes }: FakeRuntime, id: string): object | undefined {
  const one = sandboxes.find((each) => each.id === id)
  const network = { ip: '10.0.0.1', additionalIps: [{ ip: 'fd00::1' }] }
  return (
    one && { status: { ...sandbox(one), network }, info: { info: JSON.stringify(one.info ?? {}) } }
  )
}
