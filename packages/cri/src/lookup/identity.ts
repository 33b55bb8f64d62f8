import { numberAt, textAt } from '../json.ts'
import type { Inspection } from '../runtime/runtime.ts'
import type { Owner } from './find-owner.ts'
import { LABEL } from './sandbox.ts'
import type { Identity } from './types.ts'

const SANDBOX = 'the crash is in the sandbox (pause) process of the pod, which is no container'

/** Whose crash it was, by what the runtime says of its container; `doubt` is about the process. */
export function identityOf(
  owner: Owner,
  sandbox: Inspection | undefined,
  doubt: string | undefined,
): Identity {
  const { status } = owner.inspection
  const label = (name: string): string | undefined =>
    textAt(status, 'labels', name) ?? textAt(sandbox?.status, 'labels', name)
  const isContainer = owner.kind === 'container'
  const sandboxUid = textAt(sandbox?.status, 'metadata', 'uid')
  const podUid = label(LABEL.podUid) ?? sandboxUid
  const contradiction = doubt ?? contradictionOf(podUid, sandboxUid, owner)
  const reason = contradiction ?? (isContainer ? undefined : SANDBOX)
  return withoutUndefined({
    status: contradiction === undefined ? 'verified' : 'unverified',
    reason,
    containerId: owner.id,
    container: isContainer
      ? (label(LABEL.container) ?? textAt(status, 'metadata', 'name'))
      : undefined,
    pod: label(LABEL.pod) ?? textAt(sandbox?.status, 'metadata', 'name'),
    namespace: label(LABEL.namespace) ?? textAt(sandbox?.status, 'metadata', 'namespace'),
    podUid,
    image: isContainer ? textAt(status, 'image', 'image') : undefined,
    imageRef: isContainer ? textAt(status, 'imageRef') : undefined,
    restartCount: isContainer ? numberAt(status, 'metadata', 'attempt') : undefined,
  })
}

function contradictionOf(
  podUid: string | undefined,
  sandboxUid: string | undefined,
  owner: Owner,
): string | undefined {
  if (sandboxUid !== undefined && podUid !== sandboxUid) {
    return `the container's pod is ${podUid}, its sandbox's is ${sandboxUid}`
  }
  const other = [...owner.podUids].find((uid) => plain(uid) !== plain(podUid ?? ''))
  if (other === undefined) return undefined
  return `the pod in the cgroup path is ${other}, the runtime says ${podUid ?? 'nothing'}`
}

// the path has underscores or dashes, and a static pod's uid neither
function plain(uid: string): string {
  return uid.replaceAll('-', '')
}

type Known = { readonly [Key in keyof Identity]?: Identity[Key] | undefined }

function withoutUndefined({ status = 'unverified', ...fields }: Known): Identity {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined)
  return { status, ...Object.fromEntries(known) }
}
