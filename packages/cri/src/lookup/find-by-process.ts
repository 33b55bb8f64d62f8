import { warning } from '../error.ts'
import { numberAt, textAt } from '../json.ts'
import { cgroupLayers, containerIds, podUid } from '../process/cgroup.ts'
import { doubtOf, whyAnother } from '../process/snapshot-process.ts'
import type { CrashFacts, ProcessSnapshot } from '../process/types.ts'
import type { Inspection } from '../runtime/runtime.ts'
import { withoutUndefined } from '../without-undefined.ts'
import {
  addError,
  addWarning,
  type Context,
  type Found,
  type RuntimeContext,
  unverified,
} from './context.ts'
import { doubtOfCgroup, findOwners, type Owner } from './find-owner.ts'
import { LABEL, podInfoOf, sandboxIdOf, sandboxStatusOf } from './sandbox.ts'
import type { Identity } from './types.ts'

/** Why the crash is in no container, by the kind of the owner. */
const NO_CONTAINER = {
  container: undefined,
  sandbox:
    'the crash is in the sandbox of the pod (its pause process or its virtual machine), not in a container',
  pod: 'the crash is in the cgroup of the pod, not in a container (as the sandbox of gVisor)',
} as const

/** From the process through its cgroup to its container. */
export async function findByProcess(
  snapshot: ProcessSnapshot,
  crash: CrashFacts | undefined,
  context: Context,
  opening: Promise<RuntimeContext> | undefined,
): Promise<Found> {
  const another = whyAnother(snapshot, crash)
  // the owner of another process has nothing to do with the crash
  if (another !== undefined) return unverified(another)
  const doubt = doubtOf(snapshot, crash)
  const { pid, cgroup } = snapshot
  if (cgroup === undefined) {
    return unverified(doubt ?? `the cgroup of process ${pid} could not be read`)
  }
  const layers = cgroupLayers(cgroup)
  if (layers.every((line) => line.length === 0)) return inNoContainer(snapshot, doubt)

  // the ids of the path are reported, but prove nothing without the runtime
  const ids = containerIds(cgroup)
  const path = withoutUndefined({
    containerId: ids.length === 1 ? ids[0] : undefined,
    podUid: podUid(cgroup),
  })
  if (opening === undefined) return unverified('the container runtime was not asked', path)
  try {
    const inRuntime = await opening
    const owners = await findOwners(layers, inRuntime)
    const [owner] = owners
    if (owner === undefined) {
      const what = ids.length === 0 ? `pod ${path.podUid}` : `container ${ids.join(', ')}`
      const message = `\`${inRuntime.runtime.endpoint}\` knows no ${what}`
      addWarning(context, warning('CRI_NOT_FOUND', message))
      return unverified(message, path)
    }
    if (owners.length > 1) {
      const names = owners.map(({ id }) => id).join(', ')
      return unverified(`the cgroup of process ${pid} names several containers: ${names}`)
    }
    // a forged path must not lead to the pod, the log or the files of another user
    const forged = doubtOfCgroup(owner, pid, context.options.procRoot)
    return forged === undefined ? await describe(owner, doubt, inRuntime) : unverified(forged)
  } catch (error) {
    return unverified(addError(context, error).message, path)
  }
}

function inNoContainer({ pid, status }: ProcessSnapshot, doubt: string | undefined): Found {
  if (doubt !== undefined) return unverified(doubt)
  // a process that left its cgroup, or a container without an id, is not the host
  return (status?.nspid.length ?? 0) > 1
    ? unverified(`process ${pid} has a pid namespace of its own, but its cgroup names no container`)
    : { identity: { status: 'host', reason: `process ${pid} is in no container` } }
}

async function describe(
  owner: Owner,
  doubt: string | undefined,
  context: RuntimeContext,
): Promise<Found> {
  const isContainer = owner.kind === 'container'
  const { status } = owner.inspection
  const logPath = textAt(status, 'logPath')
  // in a crash loop the kubelet removes the log as soon as the next container has ended
  if (isContainer && logPath !== undefined && context.options.logLines > 0) {
    void context.logs.open(logPath, owner.id).catch(() => {})
  }
  const sandboxId = isContainer ? await sandboxIdOf(owner.inspection, context) : owner.id
  const sandbox = isContainer ? await sandboxStatusOf(sandboxId, context) : owner.inspection
  return {
    identity: identityOf(owner, sandbox, doubt),
    ...withoutUndefined({
      sandboxId,
      sandbox,
      podInfo: sandbox && podInfoOf(sandbox.status),
      container: isContainer ? { id: owner.id, inspection: owner.inspection } : undefined,
    }),
  }
}

/** Whose crash it was, by what the runtime reports of the owner; `doubt` is about the process. */
function identityOf(
  owner: Owner,
  sandbox: Inspection | undefined,
  doubt: string | undefined,
): Identity {
  const { status } = owner.inspection
  const label = (name: string): string | undefined =>
    textAt(status, 'labels', name) ?? textAt(sandbox?.status, 'labels', name)
  const sandboxUid = textAt(sandbox?.status, 'metadata', 'uid')
  const uid = label(LABEL.podUid) ?? sandboxUid
  const contradiction = doubt ?? contradictionOf(uid, sandboxUid, owner)
  return {
    status: contradiction === undefined ? 'verified' : 'unverified',
    ...withoutUndefined({
      reason: contradiction ?? NO_CONTAINER[owner.kind],
      containerId: owner.kind === 'pod' ? undefined : owner.id,
      pod: label(LABEL.pod) ?? textAt(sandbox?.status, 'metadata', 'name'),
      namespace: label(LABEL.namespace) ?? textAt(sandbox?.status, 'metadata', 'namespace'),
      podUid: uid,
    }),
    ...(owner.kind === 'container' &&
      withoutUndefined({
        container: label(LABEL.container) ?? textAt(status, 'metadata', 'name'),
        image: textAt(status, 'image', 'image'),
        imageRef: textAt(status, 'imageRef'),
        restartCount: numberAt(status, 'metadata', 'attempt'),
      })),
  }
}

function contradictionOf(
  uid: string | undefined,
  sandboxUid: string | undefined,
  owner: Owner,
): string | undefined {
  if (sandboxUid !== undefined && uid !== sandboxUid) {
    return `the container's pod is ${uid}, its sandbox's is ${sandboxUid}`
  }
  const inPath = owner.layers.flatMap((layer) => layer.podUid ?? [])
  const other = inPath.find((one) => withoutDashes(one) !== withoutDashes(uid ?? ''))
  if (other === undefined) return undefined
  return `the pod in the cgroup path is ${other}, the runtime reports ${uid ?? 'none'}`
}

// a path may have underscores for the dashes, and the uid of a static pod has neither
function withoutDashes(uid: string): string {
  return uid.replaceAll('-', '')
}
