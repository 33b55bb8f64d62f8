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
