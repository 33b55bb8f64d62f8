import { once } from 'node:events'
import {
  Agent,
  createServer,
  request as sendRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { portOf } from '../network/free-ports.ts'

/** S3 operations that tests distinguish. */
export type Operation =
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'ListParts'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'PutObject'
  | 'HeadObject'
  | 'other'

export interface Fault {
  readonly on: Operation
  /** Number of requests that fail. */
  readonly times: number
  /** Only this part. */
  readonly part?: number
  readonly kind:
    | 'slow-down' // 503, as stores throttle
    | 'internal-error' // 500
    | 'request-timeout' // 400
    | 'hang' // takes all, never answers
    | 'reset' // cut in the middle of the body
    | 'lost-answer' // done, but the response is lost
    | 'error-in-200' // 200 whose body is an error
}

export interface FaultProxy {
  readonly url: string
  /** Operations in the order they came. */
  readonly seen: readonly Operation[]
  inject(fault: Fault): void
  close(): void
}

const ERRORS = {
  'slow-down': [503, 'SlowDown', 'Please reduce your request rate.'],
  'internal-error': [500, 'InternalError', 'We encountered an internal error.'],
  'request-timeout': [400, 'RequestTimeout', 'Your socket connection was not read in time.'],
  'error-in-200': [200, 'InternalError', 'We encountered an internal error.'],
} as const

/** An HTTP proxy before the store at `target`, which fails on demand. */
export async function faultProxy(target: string): Promise<FaultProxy> {
  const seen: Operation[] = []
  const faults: { fault: Fault; left: number }[] = []
  const agent = new Agent({ keepAlive: true })

  const forward = (incoming: IncomingMessage, outgoing: ServerResponse, answer: boolean): void => {
    const { method, headers, url = '/' } = incoming
    const upstream = sendRequest(new URL(url, target), { method, headers, agent }, (response) => {
      if (!answer) {
        response.resume().once('end', () => incoming.socket.destroy())
        return
      }
      outgoing.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(outgoing)
    })
    upstream.on('error', () => incoming.socket.destroy())
    incoming.on('error', () => upstream.destroy()).pipe(upstream)
  }

  const server = createServer((incoming, outgoing) => {
    const { operation, part } = classify(incoming)
    seen.push(operation)
    const hit = faults.find(
      ({ fault, left }) =>
        left > 0 && fault.on === operation && (fault.part === undefined || fault.part === part),
    )
    if (!hit) return forward(incoming, outgoing, true)
    hit.left--
    misbehave(hit.fault.kind, incoming, outgoing, forward)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    seen,
    inject: (fault) => void faults.push({ fault, left: fault.times }),
    close() {
      server.close()
      server.closeAllConnections()
      agent.destroy()
    },
  }
}

function misbehave(
  kind: Fault['kind'],
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  forward: (incoming: IncomingMessage, outgoing: ServerResponse, answer: boolean) => void,
): void {
  if (kind === 'hang') return void incoming.resume()
  if (kind === 'lost-answer') return forward(incoming, outgoing, false)
  if (kind === 'reset') return void incoming.once('data', () => incoming.socket.destroy())
  const [status, code, message] = ERRORS[kind]
  incoming.resume().once('end', () => {
    outgoing.writeHead(status, { 'content-type': 'application/xml' })
    outgoing.end(
      `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`,
    )
  })
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
