import { codeOf } from '../error.ts'
import { callApiServer, type ApiServer } from './api-server.ts'

/** Whether the DaemonSet of this pod is being uninstalled, and how that is known. */
export interface Verdict {
  readonly uninstalling: boolean
  readonly because: string
}

/**
 * Update or uninstall? Reads the DaemonSet that owns this pod. No answer counts as an update; a
 * refusal counts as an uninstall, because helm deletes the roles along with the DaemonSet.
 */
export async function isUninstalling(
  server: ApiServer | undefined,
  env: Readonly<NodeJS.ProcessEnv>,
): Promise<Verdict> {
  const { POD_NAMESPACE: namespace, DAEMONSET_NAME: name } = env
  if (server === undefined || !namespace || !name) {
    return verdict(true, 'this is no pod of a DaemonSet: no other pod will replace it')
  }
  const names = [namespace, name].map(encodeURIComponent)
  const path = `/apis/apps/v1/namespaces/${names[0]}/daemonsets/${names[1]}`
  try {
    const { status, body } = await callApiServer(server, { method: 'GET', path })
    if (status === 404) return verdict(true, 'the DaemonSet is gone')
    if (status === 401 || status === 403)
      return verdict(true, `this pod may not read it any more (${status})`)
    if (status !== 200) return verdict(false, `the API server answered ${status}`)
    return isBeingDeleted(body)
      ? verdict(true, 'the DaemonSet is being deleted')
      : verdict(false, 'the DaemonSet exists: another pod will replace this one')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      return verdict(true, 'this pod has no token any more')
    }
    return verdict(false, `the API server did not answer: ${String(error)}`)
  }
}

const verdict = (uninstalling: boolean, because: string): Verdict => ({ uninstalling, because })

function isBeingDeleted(body: unknown): boolean {
  if (typeof body !== 'object' || body === null || !('metadata' in body)) return false
  const { metadata } = body
  return typeof metadata === 'object' && metadata !== null && 'deletionTimestamp' in metadata
}
