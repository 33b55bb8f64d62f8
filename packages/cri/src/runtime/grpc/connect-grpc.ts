import { CriError, type CriErrorCode } from '../../error.ts'
import type { JsonObject } from '../../json.ts'
import { messageOf, oneLine } from '../../text.ts'
import { withoutEnvironment } from '../environment-values.ts'
import type { CallOptions, Inspection, PodFilter, Runtime } from '../runtime.ts'
import {
  CallError,
  type Channel,
  type ChannelOptions,
  GrpcStatus,
  type Method,
  openChannel,
} from './channel.ts'
import {
  ContainerState,
  ContainerStatusRequest,
  ContainerStatusResponse,
  ImageStatusRequest,
  ImageStatusResponse,
  ListContainersRequest,
  ListContainersResponse,
  ListPodSandboxRequest,
  ListPodSandboxResponse,
  type PodSandboxMetadata,
  PodSandboxStatusRequest,
  PodSandboxStatusResponse,
} from './gen/runtime.ts'
import * as toCrictl from './to-crictl.ts'

/** The calls of CRI v1 that are used here. */
const METHODS = {
  containerStatus: unary(
    'RuntimeService/ContainerStatus',
    ContainerStatusRequest,
    ContainerStatusResponse,
  ),
  podSandboxStatus: unary(
    'RuntimeService/PodSandboxStatus',
    PodSandboxStatusRequest,
    PodSandboxStatusResponse,
  ),
  listContainers: unary(
    'RuntimeService/ListContainers',
    ListContainersRequest,
    ListContainersResponse,
  ),
  listPodSandbox: unary(
    'RuntimeService/ListPodSandbox',
    ListPodSandboxRequest,
    ListPodSandboxResponse,
  ),
  imageStatus: unary('ImageService/ImageStatus', ImageStatusRequest, ImageStatusResponse),
}

interface Listed {
  readonly id: string
  readonly createdAt: bigint
}

/** A runtime called over its socket; connects at the first call, and again after the connection is lost. */
export function connectGrpc(socketPath: string, options: ChannelOptions): Runtime {
  const endpoint = `unix://${socketPath}`
  let channel: Channel | undefined
  const closing = new AbortController()

  async function ask<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    { signal }: CallOptions = {},
  ): Promise<Response> {
    const name = method.path.slice(method.path.lastIndexOf('/') + 1)
    try {
      if (channel?.isLost() !== false) channel = openChannel(socketPath, options)
      const signals = signal === undefined ? [closing.signal] : [signal, closing.signal]
      return await channel.call(method, request, AbortSignal.any(signals))
    } catch (cause) {
      throw toCriError(name, endpoint, cause)
    }
  }

  function notFound(what: string, id: string): CriError {
    return new CriError('CRI_NOT_FOUND', `\`${endpoint}\` knows no ${what} \`${id}\``, { endpoint })
  }

  async function containerStatus(id: string, call?: CallOptions): Promise<Inspection> {
    const answer = await ask(METHODS.containerStatus, { containerId: id, verbose: true }, call)
    if (answer.status === undefined) throw notFound('container', id)
    return inspection(toCrictl.containerStatus(answer.status), answer.info)
  }

  async function podSandboxStatus(id: string, call?: CallOptions): Promise<Inspection> {
    const answer = await ask(METHODS.podSandboxStatus, { podSandboxId: id, verbose: true }, call)
    if (answer.status === undefined) throw notFound('pod sandbox', id)
    return inspection(toCrictl.podSandboxStatus(answer.status), answer.info)
  }

  async function imageStatus(ref: string, call?: CallOptions): Promise<JsonObject> {
    const answer = await ask(METHODS.imageStatus, { image: { image: ref }, verbose: false }, call)
    if (answer.image === undefined) throw notFound('image', ref)
    return toCrictl.imageItem(answer.image)
  }

  async function listContainers(podSandboxId: string, call?: CallOptions): Promise<JsonObject> {
    const state = { state: ContainerState.CONTAINER_RUNNING }
    const filter = { id: '', podSandboxId, state }
    const { containers } = await ask(METHODS.listContainers, { filter }, call)
    // a runtime lists in any order, crictl newest first
    const sorted = containers.toSorted(newestFirst)
    return withoutEnvironment({ containers: sorted.map(toCrictl.containerItem) })
  }

  async function listPodSandboxes(filter: PodFilter, call?: CallOptions): Promise<JsonObject> {
    // CRI cannot filter by name or uid
    const { items } = await ask(METHODS.listPodSandbox, { filter: undefined }, call)
    const wanted = items.filter(({ metadata }) => matches(metadata, filter)).toSorted(newestFirst)
    return withoutEnvironment({ items: wanted.map(toCrictl.podSandboxItem) })
  }

  return {
    client: 'grpc',
    endpoint,
    containerStatus,
    podSandboxStatus,
    imageStatus,
    listContainers,
    listPodSandboxes,
    containerLog: () => Promise.resolve(undefined),
    close: () => {
      closing.abort()
      channel?.close()
    },
  }
}

function newestFirst(one: Listed, other: Listed): number {
  return Number(other.createdAt - one.createdAt) || (one.id < other.id ? -1 : 1)
}

function matches(metadata: PodSandboxMetadata | undefined, { name, uid }: PodFilter): boolean {
  return (
    (name === undefined || metadata?.name === name) && (uid === undefined || metadata?.uid === uid)
  )
}

function inspection(status: JsonObject, info: Readonly<Record<string, string>>): Inspection {
  return { status: withoutEnvironment(status), info: withoutEnvironment(toCrictl.info(info)) }
}

/** A call of one request and one answer; `name` is that of the service and the call. */
function unary<Request, Response>(
  name: string,
  request: { encode(message: Request): { finish(): Uint8Array } },
  response: { decode(bytes: Uint8Array): Response },
): Method<Request, Response> {
  return {
    path: `/runtime.v1.${name}`,
    encode: (message) => request.encode(message).finish(),
    decode: (bytes) => response.decode(bytes),
  }
}

/** What a status of gRPC means to the caller. */
const CODES: Readonly<Record<number, CriErrorCode>> = {
  [GrpcStatus.canceled]: 'CRI_ABORTED',
  [GrpcStatus.deadlineExceeded]: 'CRI_TIMEOUT',
  [GrpcStatus.notFound]: 'CRI_NOT_FOUND',
  [GrpcStatus.resourceExhausted]: 'CRI_TOO_LARGE',
  [GrpcStatus.unimplemented]: 'CRI_UNIMPLEMENTED',
  [GrpcStatus.unavailable]: 'CRI_UNAVAILABLE',
  [GrpcStatus.dataLoss]: 'CRI_MALFORMED',
}

const ADVICE: Partial<Readonly<Record<CriErrorCode, string>>> = {
  CRI_UNAVAILABLE: '; check that the runtime runs and that this is its CRI socket',
  CRI_UNIMPLEMENTED:
    '; CRI v1 is not served there: the socket is another program’s, or the runtime is too old',
}

/** The `CriError` for a failed call of `method` on `endpoint`. */
function toCriError(method: string, endpoint: string, cause: unknown): CriError {
  const reason = oneLine(messageOf(cause))
  const code = codeOf(cause)
  const message = `Cannot call ${method} of \`${endpoint}\`: ${reason}${ADVICE[code] ?? ''}`
  return new CriError(code, message, { cause, endpoint })
}

function codeOf(error: unknown): CriErrorCode {
  if (!(error instanceof CallError)) return 'CRI_FAILED'
  // cri-dockerd returns the daemon's text with the code "unknown"
  if (error.status === GrpcStatus.unknown && /no such (container|pod)/i.test(error.message)) {
    return 'CRI_NOT_FOUND'
  }
  return CODES[error.status] ?? 'CRI_FAILED'
}
