import { CriError } from '../../error.ts'
import type { JsonObject } from '../../json.ts'
import { withoutEnvironment } from '../environment-values.ts'
import type { CallOptions, Inspection, PodFilter, Runtime } from '../runtime.ts'
import { type Channel, type ChannelOptions, type Method, openChannel } from './channel.ts'
import { ContainerState, type PodSandboxMetadata } from './gen/runtime.ts'
import * as methods from './methods.ts'
import * as toCrictl from './to-crictl.ts'
import { toCriError } from './to-cri-error.ts'

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
    const answer = await ask(methods.containerStatus, { containerId: id, verbose: true }, call)
    if (answer.status === undefined) throw notFound('container', id)
    return inspection(toCrictl.containerStatus(answer.status), answer.info)
  }

  async function podSandboxStatus(id: string, call?: CallOptions): Promise<Inspection> {
    const answer = await ask(methods.podSandboxStatus, { podSandboxId: id, verbose: true }, call)
    if (answer.status === undefined) throw notFound('pod sandbox', id)
    return inspection(toCrictl.podSandboxStatus(answer.status), answer.info)
  }

  async function imageStatus(ref: string, call?: CallOptions): Promise<JsonObject> {
    const answer = await ask(methods.imageStatus, { image: { image: ref }, verbose: false }, call)
    if (answer.image === undefined) throw notFound('image', ref)
    return toCrictl.imageItem(answer.image)
  }

  async function listContainers(podSandboxId: string, call?: CallOptions): Promise<JsonObject> {
    const state = { state: ContainerState.CONTAINER_RUNNING }
    const filter = { id: '', podSandboxId, state }
    const { containers } = await ask(methods.listContainers, { filter }, call)
    // a runtime lists in any order, crictl newest first
    const sorted = containers.toSorted(newestFirst)
    return withoutEnvironment({ containers: sorted.map(toCrictl.containerItem) })
  }

  async function listPodSandboxes(filter: PodFilter, call?: CallOptions): Promise<JsonObject> {
    // CRI cannot filter by name or uid
    const { items } = await ask(methods.listPodSandbox, { filter: undefined }, call)
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
