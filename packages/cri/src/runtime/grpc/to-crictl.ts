import { isObject, type JsonObject, type JsonValue } from '../../json.ts'
import {
  type Container,
  ContainerState,
  type ContainerStatus,
  type Image,
  NamespaceMode,
  type PodSandbox,
  PodSandboxState,
  type PodSandboxStatus,
} from './gen/runtime.ts'

// Names, order and values are those of crictl's JSON, so that one reader parses both.

export function podSandboxItem(pod: PodSandbox): JsonObject {
  return {
    id: pod.id,
    metadata: { ...pod.metadata },
    state: nameOf(PodSandboxState, pod.state),
    createdAt: String(pod.createdAt),
    labels: pod.labels,
    annotations: pod.annotations,
    runtimeHandler: pod.runtimeHandler,
  }
}

export function podSandboxStatus(pod: PodSandboxStatus): JsonObject {
  const options = pod.linux?.namespaces?.options
  return {
    id: pod.id,
    metadata: { ...pod.metadata },
    state: nameOf(PodSandboxState, pod.state),
    createdAt: rfc3339Nano(pod.createdAt),
    network: {
      additionalIps: (pod.network?.additionalIps ?? []).map(({ ip }) => ({ ip })),
      ip: pod.network?.ip ?? '',
    },
    linux: {
      namespaces: {
        options: {
          ipc: nameOf(NamespaceMode, options?.ipc ?? 0),
          network: nameOf(NamespaceMode, options?.network ?? 0),
          pid: nameOf(NamespaceMode, options?.pid ?? 0),
          targetId: options?.targetId ?? '',
        },
      },
    },
    labels: pod.labels,
    annotations: pod.annotations,
    runtimeHandler: pod.runtimeHandler,
  }
}

export function containerItem(container: Container): JsonObject {
  return {
    id: container.id,
    podSandboxId: container.podSandboxId,
    metadata: { ...container.metadata },
    image: { image: container.image?.image ?? '' },
    imageRef: container.imageRef,
    state: nameOf(ContainerState, container.state),
    createdAt: String(container.createdAt),
    labels: container.labels,
    annotations: container.annotations,
  }
}

export function containerStatus(container: ContainerStatus): JsonObject {
  return {
    id: container.id,
    metadata: { ...container.metadata },
    state: nameOf(ContainerState, container.state),
    createdAt: rfc3339Nano(container.createdAt),
    startedAt: rfc3339Nano(container.startedAt),
    finishedAt: rfc3339Nano(container.finishedAt),
    exitCode: container.exitCode,
    image: { image: container.image?.image ?? '' },
    imageRef: container.imageRef,
    reason: container.reason,
    message: container.message,
    labels: container.labels,
    annotations: container.annotations,
    logPath: container.logPath,
  }
}

export function imageItem(image: Image): JsonObject {
  return {
    id: image.id,
    repoTags: image.repoTags,
    repoDigests: image.repoDigests,
    size: String(image.size),
    uid: image.uid === undefined ? null : { value: String(image.uid.value) },
    username: image.username,
    pinned: image.pinned,
  }
}

/** `info` of a verbose answer: a map whose one key `info` holds JSON, or, in CRI-O, one per key. */
export function info(map: Readonly<Record<string, string>>): JsonObject {
  const entries = Object.entries(map).map(([key, text]): [string, JsonValue] => {
    try {
      return [key, JSON.parse(text)]
    } catch {
      return [key, text]
    }
  })
  const { info: inner, ...others } = Object.fromEntries(entries)
  return isObject(inner) ? { ...others, ...inner } : Object.fromEntries(entries)
}

function nameOf(enumeration: Readonly<Record<string, number>>, value: number): string | number {
  // crictl prints the number, too, where it has no name
  return Object.entries(enumeration).find(([, number]) => number === value)?.[0] ?? value
}

/** `ns` since the epoch, as in crictl's statuses: UTC, without trailing zeros of the fraction. */
function rfc3339Nano(ns: bigint): string {
  const fraction = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  const seconds = Number((ns - fraction) / 1_000_000_000n)
  const date = new Date(seconds * 1000)
  // outside the range of a date: shown as it is, not thrown
  if (Number.isNaN(date.getTime())) return String(ns)
  const digits = fraction === 0n ? '' : `.${String(fraction).padStart(9, '0').replace(/0+$/, '')}`
  return date.toISOString().replace(/\.\d+Z$/, `${digits}Z`)
}
