import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { NodeHttpHandler } from '@smithy/node-http-handler'

type Handle = NodeHttpHandler['handle']

export interface HandlerOptions {
  readonly ca?: readonly string[] | undefined
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
}

/**
 * The SDK's handler, with patience where the store needs time: while CompleteMultipartUpload joins
 * the parts nothing moves on the connection, and only the time limit of the call itself holds.
 */
export class StoreHandler extends NodeHttpHandler {
  readonly #patient: NodeHttpHandler

  constructor({ ca, connectTimeoutMs, idleTimeoutMs }: HandlerOptions) {
    const shared = {
      connectionTimeout: connectTimeoutMs,
      throwOnRequestTimeout: true,
      httpAgent: new HttpAgent({ keepAlive: true }),
      httpsAgent: new HttpsAgent({ keepAlive: true, ...(ca ? { ca: [...ca] } : {}) }),
    }
    super({ ...shared, socketTimeout: idleTimeoutMs })
    this.#patient = new NodeHttpHandler(shared)
  }

  override handle(...args: Parameters<Handle>): ReturnType<Handle> {
    const [{ method, query }] = args
    const completes = method === 'POST' && query?.['uploadId'] !== undefined
    return completes ? this.#patient.handle(...args) : super.handle(...args)
  }
}
