import { CriError } from '../error.ts'
import { findSockets, isExecutable, RUNTIME_SOCKETS } from './find-sockets.ts'
import { firstOf } from './first-of.ts'
import type { Runtime } from './runtime.ts'

const CRICTL_ENV = { PATH: '/bin:/sbin:/usr/bin:/usr/sbin:/usr/local/bin:/home/kubernetes/bin' }

export interface RuntimeOptions {
  /**
   * `grpc` calls CRI v1 on the runtime's socket, `crictl` runs crictl; `auto` tries the sockets, then
   * crictl where it is installed.
   * @default 'auto'
   */
  readonly client?: 'auto' | 'grpc' | 'crictl'
  /**
   * The runtime's socket: `unix:///run/containerd/containerd.sock`, or its path.
   * @default the first of `RUNTIME_SOCKETS` that answers
   */
  readonly endpoint?: string
  /**
   * Path of crictl, or a name to find in PATH of `crictlEnv`.
   * @default 'crictl'
   */
  readonly crictlPath?: string
  /** `crictl -c <crictlConfig>`. */
  readonly crictlConfig?: string
  /**
   * The whole environment of crictl; nothing is inherited.
   * @default { PATH: '/bin:/sbin:/usr/bin:/usr/sbin:/usr/local/bin:/home/kubernetes/bin' }
   */
  readonly crictlEnv?: Readonly<Record<string, string>>
  /**
   * How images are listed: `crictl img` or `crictl images`.
   * @default 'img'
   */
  readonly crictlImageCommand?: 'img' | 'images'
  /**
   * Limit of each call.
   * @default 5000
   */
  readonly callTimeoutMs?: number
  /**
   * Upper bound of the bytes of one answer.
   * @default 4194304
   */
  readonly maxAnswerBytes?: number
  /**
   * Directory in which `RUNTIME_SOCKETS` are searched.
   * @default '/'
   */
  readonly root?: string
  /** Ends every call and kills every crictl. */
  readonly signal?: AbortSignal
}

/**
 * The container runtime of this machine. The first call loads the client and connects. Rejects with
 * `CRI_UNAVAILABLE` where there is neither a socket nor crictl, with `INVALID_OPTION` for an option
 * that is not valid.
 */
export async function openRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const { client = 'auto', crictlPath = 'crictl', crictlEnv = CRICTL_ENV, signal } = options
  if (client !== 'auto' && client !== 'grpc' && client !== 'crictl') {
    throw invalid('client', '`auto`, `grpc` or `crictl`', client)
  }
  const limits = {
    timeoutMs: positive('callTimeoutMs', options.callTimeoutMs ?? 5000),
    maxBytes: positive('maxAnswerBytes', options.maxAnswerBytes ?? 4 << 20),
  }
  const runtimes: Runtime[] = []
  if (client !== 'crictl') {
    for (const socket of await socketsOf(options)) {
      runtimes.push(
        lazy({ client: 'grpc', endpoint: `unix://${socket}` }, async () => {
          const { connectGrpc } = await import('./grpc/connect-grpc.ts')
          return connectGrpc(socket, limits)
        }),
      )
    }
  }
  // chosen by the caller, a crictl that is missing is reported when it is run
  if (
    client === 'crictl' ||
    (client === 'auto' && (await isExecutable(crictlPath, crictlEnv['PATH'])))
  ) {
    const crictl = {
      path: crictlPath,
      config: options.crictlConfig,
      env: crictlEnv,
      imageCommand: options.crictlImageCommand ?? 'img',
      ...limits,
    }
    runtimes.push(
      lazy({ client: 'crictl', endpoint: crictlPath }, async () => {
        const { connectCrictl } = await import('./crictl/connect-crictl.ts')
        return connectCrictl(crictl)
      }),
    )
  }
  const [first, ...others] = runtimes
  if (first === undefined) {
    const tried = `Found no socket of a runtime at ${RUNTIME_SOCKETS.join(', ')}`
    const crictl = client === 'auto' ? ', and no crictl' : ''
    throw new CriError('CRI_UNAVAILABLE', `${tried}${crictl}; give the endpoint of the runtime`)
  }
  if (signal?.aborted === true) throw new CriError('CRI_ABORTED', 'Canceled by the caller')
  const runtime = others.length === 0 ? first : firstOf([first, ...others])
  signal?.addEventListener('abort', () => runtime.close(), { once: true })
  return runtime
}

async function socketsOf({ endpoint, root = '/' }: RuntimeOptions): Promise<readonly string[]> {
  if (endpoint === undefined) return findSockets(root)
  const path = endpoint.startsWith('unix:') ? endpoint.slice('unix:'.length) : endpoint
  if (!path.startsWith('/')) {
    throw invalid(
      'endpoint',
      'a unix socket such as `unix:///run/containerd/containerd.sock`',
      endpoint,
    )
  }
  return [path.replace(/^\/+/, '/')]
}

function positive(option: string, value: number): number {
  // a timer of Node with a longer delay fires at once
  if (Number.isFinite(value) && value > 0) return Math.min(value, 0x7fff_ffff)
  throw invalid(option, 'a number above 0', value)
}

function invalid(option: string, expected: string, got: unknown): CriError {
  const message = `Expected \`${option}\` to be ${expected}, got \`${String(got)}\``
  return new CriError('INVALID_OPTION', message)
}

/** A runtime whose client is loaded by the first call: until then it costs no time and memory. */
function lazy(
  { client, endpoint }: Pick<Runtime, 'client' | 'endpoint'>,
  load: () => Promise<Runtime>,
): Runtime {
  let loading: Promise<Runtime> | undefined
  let closed = false
  const runtime = async (): Promise<Runtime> => {
    const loaded = await (loading ??= load())
    if (closed) loaded.close()
    return loaded
  }
  return {
    client,
    endpoint,
    containerStatus: async (...args) => (await runtime()).containerStatus(...args),
    podSandboxStatus: async (...args) => (await runtime()).podSandboxStatus(...args),
    imageStatus: async (...args) => (await runtime()).imageStatus(...args),
    listContainers: async (...args) => (await runtime()).listContainers(...args),
    listPodSandboxes: async (...args) => (await runtime()).listPodSandboxes(...args),
    containerLog: async (...args) => (await runtime()).containerLog?.(...args),
    close: () => {
      closed = true
      // a client that could not be loaded needs no close
      loading?.then(
        (loaded) => loaded.close(),
        () => {},
      )
    },
  }
}
