import { type JsonObject, objectsAt, textAt } from '../json.ts'
import type { Inspection } from '../runtime/runtime.ts'
import { addError, type RuntimeContext } from './context.ts'

/** The labels that the kubelet puts on every container (k8s.io/cri-client, types/labels.go). */
export const LABEL = {
  container: 'io.kubernetes.container.name',
  pod: 'io.kubernetes.pod.name',
  namespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
} as const

/** The pod sandbox of a container: containerd and CRI-O name it, other runtimes are searched by label. */
export async function sandboxIdOf(
  { info, status }: Inspection,
  context: RuntimeContext,
): Promise<string | undefined> {
  const named = textAt(info, 'sandboxID')
  if (named !== undefined) return named
  const name = textAt(status, 'labels', LABEL.pod)
  const uid = textAt(status, 'labels', LABEL.podUid)
  if (name === undefined || uid === undefined) return undefined
  try {
    const pods = await context.runtime.listPodSandboxes({ name }, context.deadline)
    const own = objectsAt(pods, 'items').filter((pod) => textAt(pod, 'metadata', 'uid') === uid)
    return textAt(own[0], 'id')
  } catch (error) {
    addError(context, error)
    return undefined
  }
}

/** As `crictl inspectp`; undefined, with a warning, where the runtime does not answer. */
export async function sandboxStatusOf(
  id: string | undefined,
  context: RuntimeContext,
): Promise<Inspection | undefined> {
  if (id === undefined) return undefined
  try {
    return await context.runtime.podSandboxStatus(id, context.deadline)
  } catch (error) {
    addError(context, error)
    return undefined
  }
}

/** An item of `crictl pods -o json`, made of the sandbox's status. */
export function podInfoOf(status: JsonObject): JsonObject {
  const { network: _, linux: __, ...same } = status
  return { ...same, createdAt: nanoseconds(textAt(status, 'createdAt') ?? '') }
}

/** Nanoseconds since the epoch, as in crictl's lists; `text` itself where it is not RFC 3339. */
export function nanoseconds(text: string): string {
  const [, date, fraction = '', zone] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[-+]\d\d:\d\d)$/.exec(text) ?? []
  const seconds = Date.parse(`${date}${zone}`)
  if (date === undefined || Number.isNaN(seconds)) return text
  return String(BigInt(seconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0')))
}
