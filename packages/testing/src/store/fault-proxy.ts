import { once } from 'node:events'
import {
  Agent,
  createServer,
  request as sendRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { portOf } from '../network/free-ports.ts'

/** Operations of the S3 API, as far as tests distinguish them. */
export type Operation =
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'ListParts'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'PutObject'
  | 'HeadObject'
  | 'other'

/** What the proxy does instead of passing request and response on. */
export type Misbehaviour =
  | {
      readonly kind:
        | 'slow-down' // 503, as stores throttle
        | 'internal-error' // 500
        | 'request-timeout' // 400
        | 'hang' // takes the request, never responds
        | 'reset' // closes the connection in the middle of the body
        | 'lost-answer' // passes the request on and closes the connection instead of responding
        | 'error-in-200' // 200 whose body is an error
    }
  | { readonly kind: 's3-error'; readonly status: number; readonly code: string }
  | {
      readonly kind: 'response'
      readonly status: number
      readonly body?: string
      readonly headers?: IncomingHttpHeaders
    }
  /** Passes both on, with these headers in the response. */
  | { readonly kind: 'changed-headers'; readonly headers: IncomingHttpHeaders }
  /** Passes both on after `act`. */
  | { readonly kind: 'act-first'; readonly act: () => unknown }

/** A misbehaviour, and the requests that it hits. */
export type Fault = Misbehaviour & {
  readonly on: Operation
  /** How many requests it hits. */
  readonly times: number
  /** Only this part. */
  readonly part?: number
  /** Requests that pass before. @default 0 */
  readonly after?: number
}

export interface FaultProxy {
  readonly url: string
  /** Operations in the order they came. */
  readonly seen: readonly Operation[]
  /** How often an operation came. */
  count(operation: Operation): number
  /** Headers of its requests, in their order. */
  headers(operation: Operation): readonly IncomingHttpHeaders[]
  /** Bodies of its requests. */
  bodies(operation: Operation): readonly string[]
  inject(fault: Fault): void
  /** The same for one request of this operation. */
  injectOnce(on: Operation, misbehaviour: Misbehaviour): void
  close(): void
}

const ERRORS = {
  'slow-down': [503, 'SlowDown'],
  'internal-error': [500, 'InternalError'],
  'request-timeout': [400, 'RequestTimeout'],
  'error-in-200': [200, 'InternalError'],
} as const

/** An HTTP proxy before the store at `target`, which passes on everything but the injected faults. */
export async function faultProxy(target: string): Promise<FaultProxy> {
  const seen: Operation[] = []
  const requests: { operation: Operation; headers: IncomingHttpHeaders; body: string }[] = []
  const faults: { fault: Fault; skip: number; left: number }[] = []
  const agent = new Agent({ keepAlive: true })
  const inject = (fault: Fault): void =>
    void faults.push({ fault, skip: fault.after ?? 0, left: fault.times })

  const server = createServer((incoming, outgoing) => {
    const { operation, part } = classify(incoming)
    seen.push(operation)
    const request = { operation, headers: incoming.headers, body: '' }
    requests.push(request)
    // bodies of parts are large, and their content is of no interest
    if (operation === 'CompleteMultipartUpload') {
      incoming.on('data', (chunk: Buffer) => (request.body += chunk.toString()))
      incoming.pause()
    }
    const exchange = { agent, target, incoming, outgoing }
    const hit = faults.find(
      ({ fault, left }) =>
        left > 0 && fault.on === operation && (fault.part === undefined || fault.part === part),
    )
    if (!hit || hit.skip-- > 0) return forward(exchange)
    hit.left--
    void misbehave(hit.fault, exchange)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    seen,
    count: (operation) => seen.filter((each) => each === operation).length,
    headers: (operation) =>
      requests.filter((each) => each.operation === operation).map(({ headers }) => headers),
    bodies: (operation) =>
      requests.filter((each) => each.operation === operation).map(({ body }) => body),
    inject,
    injectOnce: (on, misbehaviour) => inject({ ...misbehaviour, on, times: 1 }),
    close() {
      server.close()
      server.closeAllConnections()
      agent.destroy()
    },
  }
}

interface Exchange {
  readonly agent: Agent
  readonly target: string
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}

async function misbehave(fault: Misbehaviour, exchange: Exchange): Promise<void> {
  const { incoming } = exchange
  switch (fault.kind) {
    case 'hang':
      incoming.resume()
      return
    case 'reset':
      incoming.once('readable', () => incoming.socket.destroy())
      return
    case 'lost-answer':
      return forward(exchange, 'lost')
    case 'changed-headers':
      return forward(exchange, fault.headers)
    case 'act-first':
      await fault.act()
      return forward(exchange)
    case 'response':
      return respond(exchange, fault.status, fault.body, fault.headers)
    default: {
      const [status, code] =
        fault.kind === 's3-error' ? [fault.status, fault.code] : ERRORS[fault.kind]
      const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>Injected by the test.</Message></Error>`
      respond(exchange, status, body, { 'content-type': 'application/xml' })
    }
  }
}

function respond(
  { incoming, outgoing }: Exchange,
  status: number,
  body?: string,
  headers?: IncomingHttpHeaders,
): void {
  incoming.resume().once('end', () => outgoing.writeHead(status, headers).end(body))
}

/** Pass the exchange on; the response is lost, or gets further headers. */
function forward(
  { agent, target, incoming, outgoing }: Exchange,
  change: IncomingHttpHeaders | 'lost' = {},
): void {
  const { method, headers, url = '/' } = incoming
  const upstream = sendRequest(new URL(url, target), { method, headers, agent }, (response) => {
    if (change === 'lost') {
      response.resume().once('end', () => incoming.socket.destroy())
      return
    }
    outgoing.writeHead(response.statusCode ?? 502, { ...response.headers, ...change })
    response.pipe(outgoing)
  })
  upstream.on('error', () => incoming.socket.destroy())
  incoming.on('error', () => upstream.destroy()).pipe(upstream)
}

function classify({ method, url = '/' }: IncomingMessage): { operation: Operation; part: number } {
  const { searchParams } = new URL(url, 'http://store')
  const upload = searchParams.has('uploadId')
  const part = Number(searchParams.get('partNumber'))
  if (method === 'PUT') return { operation: upload ? 'UploadPart' : 'PutObject', part }
  if (method === 'HEAD') return { operation: 'HeadObject', part }
  if (method === 'GET' && upload) return { operation: 'ListParts', part }
  if (method === 'DELETE' && upload) return { operation: 'AbortMultipartUpload', part }
  if (method === 'POST' && upload) return { operation: 'CompleteMultipartUpload', part }
  if (method === 'POST' && searchParams.has('uploads'))
    return { operation: 'CreateMultipartUpload', part }
  return { operation: 'other', part }
}
