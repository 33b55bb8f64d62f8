import { textAt } from '../json.ts'
import { warning } from '../warning.ts'
import { cgroupLines, containerIds, podUid } from '../process/cgroup.ts'
import { doubtOf, whyAnother } from '../process/proof.ts'
import type { CrashFacts, ProcessSnapshot } from '../process/types.ts'
import {
  type RuntimeContext,
  addWarning,
  addError,
  type Context,
  type Found,
  unverified,
} from './context.ts'
import { findOwners, type Owner } from './find-owner.ts'
import { identityOf } from './identity.ts'
import { podInfoOf, sandboxIdOf, sandboxStatusOf } from './sandbox.ts'

/** From the process through its cgroup to its container. */
export async function findByProcess(
  snapshot: ProcessSnapshot,
  crash: CrashFacts | undefined,
  context: Context,
  opening: Promise<RuntimeContext> | undefined,
): Promise<Found> {
  const another = whyAnother(snapshot, crash)
  // whose that one is matters to nobody
  if (another !== undefined) return unverified(another)
  const doubt = doubtOf(snapshot, crash)
  const { cgroup } = snapshot
  if (cgroup === undefined) {
    return unverified(doubt ?? `the cgroup of process ${snapshot.pid} could not be read`)
  }
  const ids = containerIds(cgroup)
  const [only] = ids
  if (only === undefined) return inNoContainer(snapshot, doubt)

  // what the path says is said, but it proves nothing without the runtime
  const uid = podUid(cgroup)
  const path = {
    ...(ids.length === 1 && { containerId: only }),
    ...(uid !== undefined && { podUid: uid }),
  }
  if (opening === undefined) return unverified('the container runtime was not asked', path)
  try {
    const inContext = await opening
    const owners = await findOwners(cgroupLines(cgroup), inContext)
    const [owner] = owners
    if (owner === undefined) {
      const message = `\`${inContext.runtime.endpoint}\` knows no container ${ids.join(', ')}`
      addWarning(context, warning('CRI_NOT_FOUND', message))
      return unverified(message, path)
    }
    if (owners.length > 1) {
      const names = owners.map(({ id }) => id).join(', ')
      return unverified(`the cgroup of process ${snapshot.pid} names several containers: ${names}`)
    }
    return await describe(owner, doubt, inContext)
  } catch (error) {
    return unverified(addError(context, error).message, path)
  }
}

function inNoContainer({ pid, status }: ProcessSnapshot, doubt: string | undefined): Found {
  if (doubt !== undefined) return unverified(doubt)
  // whoever left its cgroup, or a container of a kind that has no id, is not the host
  return (status?.nspid.length ?? 0) > 1
    ? unverified(`process ${pid} has a pid namespace of its own, but its cgroup names no container`)
    : { identity: { status: 'host', reason: `process ${pid} is in no container` } }
}

async function describe(
  owner: Owner,
  doubt: string | undefined,
  inContext: RuntimeContext,
): Promise<Found> {
  const isContainer = owner.kind === 'container'
  const { status } = owner.inspection
  const logPath = textAt(status, 'logPath')
  // in a crash loop the kubelet removes the log as soon as the next container is dead
  if (isContainer && logPath !== undefined && inContext.options.logLines > 0) {
    void inContext.logs.open(logPath).catch(() => {})
  }
  const sandboxId = isContainer ? await sandboxIdOf(owner.inspection, inContext) : owner.id
  const sandbox = isContainer ? await sandboxStatusOf(sandboxId, inContext) : owner.inspection
  const identity = identityOf(owner, sandbox, doubt)
  return {
    identity,
    ...(sandboxId !== undefined && { sandboxId }),
    ...(sandbox !== undefined && { sandbox, podInfo: podInfoOf(sandbox.status) }),
    ...(isContainer && { container: { id: owner.id, inspection: owner.inspection } }),
  }
}
