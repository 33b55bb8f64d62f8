import { type JsonObject, objectsAt, textAt } from '../json.ts'
import { problem } from '../warning.ts'
import {
  type Asking,
  complain,
  complainOf,
  type Context,
  type Found,
  unverified,
} from './context.ts'

const GUESS = 'looked up by host name, which any container can set, not by process'

/** The ancestor's way, for a caller without a host pid: the pod whose name is the host name. */
export async function byHostName(
  hostname: string,
  context: Context,
  opening: Promise<Asking> | undefined,
): Promise<Found> {
  if (opening === undefined) return unverified('the container runtime was not asked')
  // an empty name would find every pod
  if (hostname === '') return unverified('neither a process nor a host name is known')
  try {
    const { runtime, deadline } = await opening
    const answer = await runtime.listPodSandboxes({ name: hostname }, deadline)
    const pods = objectsAt(answer, 'items')
    const pod = pods.find((one) => textAt(one, 'state') === 'SANDBOX_READY') ?? pods[0]
    if (pod === undefined) {
      const message = `\`${runtime.endpoint}\` has no pod with exactly the host name \`${hostname}\``
      complain(context, problem('POD_NOT_FOUND', message))
      return unverified(message)
    }
    const id = textAt(pod, 'id')
    const podUid = textAt(pod, 'metadata', 'uid')
    const namespace = textAt(pod, 'metadata', 'namespace')
    const known = {
      pod: textAt(pod, 'metadata', 'name') ?? hostname,
      ...(namespace !== undefined && { namespace }),
      ...(podUid !== undefined && { podUid }),
    }
    return {
      ...unverified(`${GUESS}${ambiguity(pods)}`, known),
      ...(id !== undefined && { sandboxId: id }),
      podInfo: pod,
    }
  } catch (error) {
    return unverified(complainOf(context, error).message)
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
