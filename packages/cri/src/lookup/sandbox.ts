import { type JsonObject, objectsAt, textAt } from '../json.ts'
import type { Inspection } from '../runtime/runtime.ts'
import { nanoseconds } from '../runtime/time.ts'
import { type Asking, complainOf } from './context.ts'

/** The labels that the kubelet puts on every container (k8s.io/cri-client, types/labels.go). */
export const LABEL = {
  container: 'io.kubernetes.container.name',
  pod: 'io.kubernetes.pod.name',
  namespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
} as const

/** The pod sandbox of a container: containerd and CRI-O say it, for others the labels find it. */
export async function sandboxIdOf(
  { info, status }: Inspection,
  asking: Asking,
): Promise<string | undefined> {
  const told = textAt(info, 'sandboxID')
  if (told !== undefined) return told
  const name = textAt(status, 'labels', LABEL.pod)
  const uid = textAt(status, 'labels', LABEL.podUid)
  if (name === undefined || uid === undefined) return undefined
  try {
    const pods = await asking.runtime.listPodSandboxes({ name }, asking.deadline)
    const own = objectsAt(pods, 'items').filter((pod) => textAt(pod, 'metadata', 'uid') === uid)
    return textAt(own[0], 'id')
  } catch (error) {
    complainOf(asking, error)
    return undefined
  }
}

/** As `crictl inspectp`; undefined, with a problem, when the runtime does not say. */
export async function sandboxStatusOf(
  id: string | undefined,
  asking: Asking,
): Promise<Inspection | undefined> {
  if (id === undefined) return undefined
  try {
    return await asking.runtime.podSandboxStatus(id, asking.deadline)
  } catch (error) {
    complainOf(asking, error)
    return undefined
  }
}

/** An item of `crictl pods -o json`, from the status of that pod sandbox. */
export function podInfoOf(status: JsonObject): JsonObject {
  const { network: _, linux: __, ...same } = status
  return { ...same, createdAt: nanoseconds(textAt(status, 'createdAt') ?? '') }
}
