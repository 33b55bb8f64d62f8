import { isCriError } from '../error.ts'
import type { CgroupContainer } from '../process/cgroup.ts'
import type { Inspection } from '../runtime/runtime.ts'
import type { RuntimeContext } from './context.ts'

/** A container or pod sandbox that the runtime knows, and the pods that the paths around it name. */
export interface Owner {
  readonly kind: 'container' | 'sandbox'
  readonly id: string
  readonly inspection: Inspection
  readonly podUids: ReadonlySet<string>
}

// far above how deep clusters are nested; a process that may make cgroups can make many
const MAX_IDS = 16

/**
 * The outermost container of each cgroup line that the runtime knows; usually all lines name the
 * same one. Inner ids are not used, because a process can make cgroups below its own. Outer ids that
 * the runtime does not know belong to a cluster around this one. Rejects when the runtime does not
 * answer for an id: the next one could be forged.
 */
export async function findOwners(
  lines: readonly (readonly CgroupContainer[])[],
  { runtime, deadline }: RuntimeContext,
): Promise<readonly Owner[]> {
  const asked = new Map<string, Promise<Omit<Owner, 'podUids'> | undefined>>()
  const owners = new Map<string, Owner>()
  for (const line of lines) {
    for (const { id } of line) {
      if (!asked.has(id) && asked.size === MAX_IDS) break
      const answer = asked.get(id) ?? ask(id)
      asked.set(id, answer)
      const known = await answer
      if (known === undefined) continue
      const podUid = line.find((container) => container.id === id)?.podUid
      const podUids = new Set(owners.get(id)?.podUids)
      owners.set(id, { ...known, podUids: podUid === undefined ? podUids : podUids.add(podUid) })
      break
    }
  }
  return [...owners.values()]

  async function ask(id: string): Promise<Omit<Owner, 'podUids'> | undefined> {
    const container = await orUndefined(runtime.containerStatus(id, deadline))
    if (container !== undefined) return { kind: 'container', id, inspection: container }
    const sandbox = await orUndefined(runtime.podSandboxStatus(id, deadline))
    return sandbox && { kind: 'sandbox', id, inspection: sandbox }
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
