import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { Readable } from 'node:stream'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { IdleTimeout, attemptLimitMs } from './idle-timeout.ts'

const SLICE_BYTES = 256 * 1024

type Handle = NodeHttpHandler['handle']

export interface HandlerOptions {
  readonly ca?: readonly string[] | undefined
  readonly proxyEnv?: Readonly<Record<string, string>> | undefined
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
  /** Of one call of the SDK. */
  readonly maxAttempts: number
}

/**
 * The SDK's handler, with longer timeouts where the store needs time: while CompleteMultipartUpload joins
 * the parts nothing moves on the connection, so that only the time limit of the call itself applies.
 */
export class StoreHandler extends NodeHttpHandler {
  readonly #withoutIdleTimeout: NodeHttpHandler
  readonly #idleTimeout: IdleTimeout

  constructor({ ca, proxyEnv, connectTimeoutMs, idleTimeoutMs, maxAttempts }: HandlerOptions) {
    const agent = { keepAlive: true, ...(proxyEnv ? { proxyEnv } : {}) }
    const shared = {
      connectionTimeout: connectTimeoutMs,
      throwOnRequestTimeout: true,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({ ...agent, ...(ca ? { ca: [...ca] } : {}) }),
    }
    super({ ...shared, socketTimeout: idleTimeoutMs })
    this.#withoutIdleTimeout = new NodeHttpHandler(shared)
    this.#idleTimeout = new IdleTimeout(idleTimeoutMs, maxAttempts)
  }

  override async handle(...args: Parameters<Handle>): ReturnType<Handle> {
    const [request, options] = args
    const completes = request.method === 'POST' && request.query?.['uploadId'] !== undefined
    const sent = sliced(request)
    const bytes = Buffer.isBuffer(request.body) ? request.body.length : 0
    try {
      if (completes) return await this.#withoutIdleTimeout.handle(sent, options)
      if (bytes === 0) return await super.handle(sent, options)
      return await this.#sendBody(bytes, sent, options)
    } catch (error) {
      if (error instanceof Error) HOSTS.set(error, hostOf(request))
      throw error
    }
  }

  async #sendBody(bytes: number, ...[request, options]: Parameters<Handle>): ReturnType<Handle> {
    const started = performance.now()
    const before = this.#idleTimeout.ms
    const limit = options?.requestTimeout
    const own = limit === undefined ? {} : { requestTimeout: attemptLimitMs(limit, bytes) }
    try {
      const answer = await super.handle(request, { ...options, ...own })
      this.#idleTimeout.answered(performance.now() - started)
      return answer
    } catch (error) {
      if (error instanceof Error && IDLE_MESSAGE.test(error.message)) this.#idleTimeout.timedOut()
      throw error
    } finally {
      if (this.#idleTimeout.ms !== before)
        this.updateHttpClientConfig('socketTimeout', this.#idleTimeout.ms)
    }
  }
}

/** Message of the SDK, which has no code for this timeout. */
const IDLE_MESSAGE = /socket timed out after \d+ ms of inactivity/

const HOSTS = new WeakMap<Error, string>()

/** The host that an error of a connection is about: most contain `ECONNRESET` and no more. */
export function hostOfError(error: Error): string | undefined {
  return HOSTS.get(error)
}

function hostOf({ hostname, port }: Parameters<Handle>[0]): string {
  return port === undefined ? hostname : `${hostname}:${port}`
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
