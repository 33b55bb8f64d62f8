import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { Readable } from 'node:stream'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { Proxies } from '../proxies.ts'

const SLICE_BYTES = 256 * 1024
/** A line that is slower than this is not waited for. */
const SLOWEST_BYTES_PER_MS = 1
const MAX_IDLE_MS = 600_000

type Handle = NodeHttpHandler['handle']

export interface HandlerOptions {
  readonly ca?: readonly string[] | undefined
  readonly proxyEnv?: Readonly<Record<string, string>> | undefined
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
  /** Of one call of the SDK. */
  readonly maxAttempts: number
}

/** One way to the store: directly or through a proxy. */
interface Way {
  readonly agents: readonly [HttpAgent, HttpsAgent]
  readonly idling: NodeHttpHandler
  readonly patient: NodeHttpHandler
}

/**
 * The SDK's handler, with longer timeouts where the store needs time: while CompleteMultipartUpload joins
 * the parts nothing moves on the connection, so that only the time limit of the call itself applies.
 */
export class StoreHandler extends NodeHttpHandler {
  readonly #proxies: Proxies | undefined
  readonly #direct: Way
  readonly #proxied: Way | undefined
  readonly #idleTimeout: IdleTimeout

  constructor(options: HandlerOptions) {
    super()
    const { proxyEnv, idleTimeoutMs, maxAttempts } = options
    this.#proxies = proxyEnv && new Proxies(proxyEnv)
    this.#direct = way(options)
    this.#proxied = this.#proxies && way(options, this.#proxies.agentEnv)
    this.#idleTimeout = new IdleTimeout(idleTimeoutMs, maxAttempts)
  }

  override destroy(): void {
    for (const each of [this.#direct, this.#proxied]) {
      for (const agent of each?.agents ?? []) agent.destroy()
    }
  }

  override async handle(...args: Parameters<Handle>): ReturnType<Handle> {
    const [request, options] = args
    const { protocol, hostname, port } = request
    const proxy = this.#proxies?.for(protocol, hostname, port)
    const peer = { host: port === undefined ? hostname : `${hostname}:${port}`, proxy }
    const through = (proxy === undefined ? undefined : this.#proxied) ?? this.#direct
    try {
      const answer = await this.#send(through, request, options)
      PEERS.set(answer.response, peer)
      return answer
    } catch (error) {
      if (error instanceof Error) PEERS.set(error, peer)
      throw error
    }
  }

  async #send(through: Way, ...[request, options]: Parameters<Handle>): ReturnType<Handle> {
    const completes = request.method === 'POST' && request.query?.['uploadId'] !== undefined
    const sent = sliced(request)
    const bytes = Buffer.isBuffer(request.body) ? request.body.length : 0
    if (completes) return through.patient.handle(sent, options)
    if (bytes === 0) return through.idling.handle(sent, options)
    return this.#sendBody(through, bytes, sent, options)
  }

  async #sendBody(
    { idling }: Way,
    bytes: number,
    ...[request, options]: Parameters<Handle>
  ): ReturnType<Handle> {
    const started = performance.now()
    const before = this.#idleTimeout.ms
    const limit = options?.requestTimeout
    const own = limit === undefined ? {} : { requestTimeout: attemptLimitMs(limit, bytes) }
    try {
      const answer = await idling.handle(request, { ...options, ...own })
      this.#idleTimeout.answered(performance.now() - started)
      return answer
    } catch (error) {
      if (error instanceof Error && IDLE_MESSAGE.test(error.message)) this.#idleTimeout.timedOut()
      throw error
    } finally {
      if (this.#idleTimeout.ms !== before) {
        for (const each of [this.#direct, this.#proxied]) {
          each?.idling.updateHttpClientConfig('socketTimeout', this.#idleTimeout.ms)
        }
      }
    }
  }
}

function way(
  { ca, connectTimeoutMs, idleTimeoutMs }: HandlerOptions,
  proxyEnv?: Readonly<Record<string, string>>,
): Way {
  const options = { keepAlive: true, ...(proxyEnv ? { proxyEnv } : {}) }
  const httpAgent = new HttpAgent(options)
  const httpsAgent = new HttpsAgent({ ...options, ...(ca ? { ca: [...ca] } : {}) })
  const shared = {
    connectionTimeout: connectTimeoutMs,
    throwOnRequestTimeout: true,
    httpAgent,
    httpsAgent,
  }
  return {
    agents: [httpAgent, httpsAgent],
    idling: new NodeHttpHandler({ ...shared, socketTimeout: idleTimeoutMs }),
    patient: new NodeHttpHandler(shared),
  }
}

/** Message of the SDK, which has no code for this timeout. */
const IDLE_MESSAGE = /socket timed out after \d+ ms of inactivity/

/** Whom a request went to. */
export interface Peer {
  readonly host: string
  /** URL of the proxy in between. */
  readonly proxy: string | undefined
}

const PEERS = new WeakMap<object, Peer>()

/** The peer that an error of a connection, or an answer, is from: most errors contain `ECONNRESET` and no more. */
export function peerOf(errorOrResponse: object): Peer | undefined {
  return PEERS.get(errorOrResponse)
}

/**
 * TLS encrypts whatever it is given at once and keeps the result until it is sent: 28 MiB for two parts of 8.
 * Signed and counted as a whole, a part is therefore written in slices.
 */
function sliced(request: Parameters<Handle>[0]): Parameters<Handle>[0] {
  const { body, protocol } = request
  if (protocol !== 'https:' || !Buffer.isBuffer(body) || body.length <= SLICE_BYTES) return request
  const stream = Readable.from(slices(body), { objectMode: true, highWaterMark: 1 })
  // a copy: the next attempt gets the buffer again
  return Object.assign(Object.create(Object.getPrototypeOf(request)), request, { body: stream })
}

function* slices(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += SLICE_BYTES) yield body.subarray(at, at + SLICE_BYTES)
}

/** Limit of one attempt: that of a request without a body, and the time that a body takes on the slowest line. */
export function attemptLimitMs(limitMs: number, bodyBytes: number): number {
  return limitMs + bodyBytes / SLOWEST_BYTES_PER_MS
}

/**
 * How long nothing may move on a connection. On a slow line much of a body lies in the buffers of the
 * kernel or of a proxy, and nothing is seen of its progress: after `attempts` timeouts in a row, one call
 * of the SDK, the timeout is doubled, 10 minutes at most, until an answer shows that the line is fast.
 */
export class IdleTimeout {
  readonly #baseMs: number
  readonly #attempts: number
  #timeouts = 0
  #ms: number

  constructor(baseMs: number, attempts: number) {
    this.#baseMs = baseMs
    this.#attempts = attempts
    this.#ms = baseMs
  }

  get ms(): number {
    return this.#ms
  }

  /** A request with a body was given up because nothing moved. */
  timedOut(): void {
    if (++this.#timeouts % this.#attempts > 0) return
    this.#ms = Math.max(this.#baseMs, Math.min(this.#ms * 2, MAX_IDLE_MS))
  }

  /** A request with a body was answered after `tookMs`. */
  answered(tookMs: number): void {
    this.#timeouts = 0
    if (tookMs < this.#baseMs / 2) this.#ms = this.#baseMs
  }
}
