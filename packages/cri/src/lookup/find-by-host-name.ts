import { type JsonObject, objectsAt, textAt } from '../json.ts'
import { warning } from '../error.ts'
import { withoutUndefined } from '../without-undefined.ts'
import {
  addError,
  addWarning,
  type Context,
  type Found,
  type RuntimeContext,
  unverified,
} from './context.ts'

const GUESS = 'looked up by host name, which any container can set, not by process'

/** As IBM core-dump-handler 9: the pod whose name is the host name, for a caller without a host pid. */
export async function findByHostName(
  hostname: string,
  context: Context,
  opening: Promise<RuntimeContext> | undefined,
): Promise<Found> {
  if (opening === undefined) return unverified('the container runtime was not asked')
  // an empty name would match every pod
  if (hostname === '') return unverified('neither a process nor a host name is known')
  try {
    const { runtime, deadline } = await opening
    const answer = await runtime.listPodSandboxes({ name: hostname }, deadline)
    const pods = objectsAt(answer, 'items')
    const pod = pods.find((one) => textAt(one, 'state') === 'SANDBOX_READY') ?? pods[0]
    if (pod === undefined) {
      const message = `\`${runtime.endpoint}\` has no pod with exactly the host name \`${hostname}\``
      addWarning(context, warning('POD_NOT_FOUND', message))
      return unverified(message)
    }
    const known = withoutUndefined({
      pod: textAt(pod, 'metadata', 'name') ?? hostname,
      namespace: textAt(pod, 'metadata', 'namespace'),
      podUid: textAt(pod, 'metadata', 'uid'),
    })
    return {
      ...unverified(`${GUESS}${ambiguity(pods)}`, known),
      ...withoutUndefined({ sandboxId: textAt(pod, 'id') }),
      podInfo: pod,
    }
  } catch (error) {
    return unverified(addError(context, error).message)
  }
}

function ambiguity(pods: readonly JsonObject[]): string {
  const uids = new Set(pods.map((pod) => textAt(pod, 'metadata', 'uid')))
  if (uids.size < 2) return ''
  const names = pods.map(
    (pod) => `${textAt(pod, 'metadata', 'namespace')}/${textAt(pod, 'metadata', 'name')}`,
  )
  const list = [...new Set(names)].join(', ')
  return `; ${uids.size} pods have this name (${list}), the newest that is ready was taken`
}
