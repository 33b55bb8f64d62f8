import { isCriError } from '../error.ts'
import { objectsAt, textAt } from '../json.ts'
import type { CgroupLayer } from '../process/cgroup.ts'
import type { Inspection } from '../runtime/runtime.ts'
import type { RuntimeContext } from './context.ts'

/** What the runtime knows of a layer of the cgroup: a container, a pod sandbox, or the pod around them. */
export interface Owner {
  readonly kind: 'container' | 'sandbox' | 'pod'
  /** Of the container or the sandbox. */
  readonly id: string
  readonly inspection: Inspection
  /** The layers that name it, one for each line of the cgroup. */
  readonly layers: readonly CgroupLayer[]
}

type Known = Omit<Owner, 'layers'>

// far above how deep clusters are nested; a process that may make cgroups can make many
const MAX_CALLS = 16

/**
 * The outermost layer of each cgroup line that the runtime knows; usually all lines name the same.
 * An id that the runtime does not know is passed over where it belongs to a cluster around this one.
 * Below a pod it ends the search: it is a container that was removed, and what is inside it was made
 * by its own processes. Rejects when the runtime does not answer for an id, for the same reason.
 */
export async function findOwners(
  lines: readonly (readonly CgroupLayer[])[],
  { runtime, deadline }: RuntimeContext,
): Promise<readonly Owner[]> {
  const known = new Map<string, Promise<Known | undefined>>()
  const owners = new Map<string, Owner>()
  for (const line of lines) {
    for (const layer of line) {
      const key = layer.containerId ?? layer.podUid ?? ''
      if (!known.has(key) && known.size === MAX_CALLS) break
      const answer = known.get(key) ?? ask(layer)
      known.set(key, answer)
      const found = await answer
      if (found !== undefined) {
        const layers = owners.get(key)?.layers ?? []
        owners.set(key, { ...found, layers: [...layers, layer] })
      }
      if (found !== undefined || layer.podUid !== undefined) break
    }
  }
  return [...owners.values()]

  async function ask({ containerId: id, podUid = '' }: CgroupLayer): Promise<Known | undefined> {
    if (id === undefined) return askForPod(podUid)
    const container = await orUndefined(runtime.containerStatus(id, deadline))
    if (container !== undefined) return { kind: 'container', id, inspection: container }
    const sandbox = await orUndefined(runtime.podSandboxStatus(id, deadline))
    return sandbox && { kind: 'sandbox', id, inspection: sandbox }
  }

  async function askForPod(uid: string): Promise<Known | undefined> {
    const pods = objectsAt(await runtime.listPodSandboxes({ uid }, deadline), 'items')
    const pod = pods.find((one) => textAt(one, 'state') === 'SANDBOX_READY') ?? pods[0]
    const id = textAt(pod, 'id')
    if (id === undefined) return undefined
    const sandbox = await orUndefined(runtime.podSandboxStatus(id, deadline))
    return sandbox && { kind: 'pod', id, inspection: sandbox }
  }
}

async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (isCriError(error) && error.code === 'CRI_NOT_FOUND') return undefined
    throw error
  }
}
