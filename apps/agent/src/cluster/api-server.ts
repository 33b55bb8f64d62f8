import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'
const TIMEOUT_MS = 5000

/** Answer of the API server. */
export interface ApiAnswer {
  readonly status: number
  readonly body: unknown
}

export interface ApiCall {
  readonly method: 'GET' | 'POST'
  /** Such as `/apis/apps/v1/namespaces/x/daemonsets/y`. */
  readonly path: string
  readonly body?: unknown
  readonly signal?: AbortSignal
}

/** Address of the API server, and the service account of the caller. */
export interface ApiServer {
  readonly host: string
  readonly port: string
  /** Directory with `token` and `ca.crt`. @default the pod's own service account */
  readonly account?: string
}

/** From the variables every pod has; `undefined` outside a cluster. */
export function apiServer(env: Readonly<NodeJS.ProcessEnv>): ApiServer | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env
  if (!host) return undefined
  const account = env['SERVICE_ACCOUNT_DIR']
  return { host, port, ...(account && { account }) }
}

/**
 * One call, within 5 s. The client library of Kubernetes takes 84 MB of memory to load, for two
 * kinds of calls. Tokens are renewed on disk, so they are read each time.
 * @throws NodeJS.ErrnoException `ENOENT` without a token; the error of the connection
 */
export async function callApiServer(
  { host, port, account = ACCOUNT }: ApiServer,
  { method, path, body, signal }: ApiCall,
): Promise<ApiAnswer> {
  const token = (await readFile(join(account, 'token'), 'utf8')).trim()
  const ca = await readFile(join(account, 'ca.crt'))
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  const call = request({
    host,
    port,
    path,
    method,
    ca,
    agent: false,
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    headers: {
      authorization: `Bearer ${token}`,
      accept: 'application/json',
      'content-type': 'application/json',
    },
  })
  const answered = new Promise<ApiAnswer>((resolve, reject) => {
    call.on('error', reject).on('response', (response) => {
      text(response).then(
        (content) => resolve({ status: response.statusCode ?? 0, body: parse(content) }),
        reject,
      )
    })
  })
  call.end(body === undefined ? undefined : JSON.stringify(body))
  return answered
}

function parse(content: string): unknown {
  try {
    return JSON.parse(content)
  } catch {
    return content
  }
}
