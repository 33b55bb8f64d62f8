import { numberAt, textAt } from '../json.ts'
import type { Inspection } from '../runtime/runtime.ts'
import { withoutUndefined } from '../without-undefined.ts'
import type { Owner } from './find-owner.ts'
import { LABEL } from './sandbox.ts'
import type { Identity } from './types.ts'

const NO_CONTAINER = {
  container: undefined,
  sandbox:
    'the crash is in the sandbox of the pod (its pause process or its virtual machine), not in a container',
  pod: 'the crash is in the cgroup of the pod, not in a container (as the sandbox of gVisor)',
} as const

/** Whose crash it was, by what the runtime reports of the owner; `doubt` is about the process. */
export function identityOf(
  owner: Owner,
  sandbox: Inspection | undefined,
  doubt: string | undefined,
): Identity {
  const { status } = owner.inspection
  const label = (name: string): string | undefined =>
    textAt(status, 'labels', name) ?? textAt(sandbox?.status, 'labels', name)
  const sandboxUid = textAt(sandbox?.status, 'metadata', 'uid')
  const podUid = label(LABEL.podUid) ?? sandboxUid
  const contradiction = doubt ?? contradictionOf(podUid, sandboxUid, owner)
  return {
    status: contradiction === undefined ? 'verified' : 'unverified',
    ...withoutUndefined({
      reason: contradiction ?? NO_CONTAINER[owner.kind],
      containerId: owner.kind === 'pod' ? undefined : owner.id,
      pod: label(LABEL.pod) ?? textAt(sandbox?.status, 'metadata', 'name'),
      namespace: label(LABEL.namespace) ?? textAt(sandbox?.status, 'metadata', 'namespace'),
      podUid,
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
  podUid: string | undefined,
  sandboxUid: string | undefined,
  owner: Owner,
): string | undefined {
  if (sandboxUid !== undefined && podUid !== sandboxUid) {
    return `the container's pod is ${podUid}, its sandbox's is ${sandboxUid}`
  }
  const inPath = owner.layers.flatMap((layer) => layer.podUid ?? [])
  const other = inPath.find((uid) => withoutDashes(uid) !== withoutDashes(podUid ?? ''))
  if (other === undefined) return undefined
  return `the pod in the cgroup path is ${other}, the runtime reports ${podUid ?? 'none'}`
}

// a path may have underscores for the dashes, and the uid of a static pod has neither
function withoutDashes(uid: string): string {
  return uid.replaceAll('-', '')
}
