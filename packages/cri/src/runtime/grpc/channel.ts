import { connect as openSession, constants, type IncomingHttpHeaders } from 'node:http2'
import { connect as openSocket } from 'node:net'

/** The status codes of gRPC that are used here (grpc/doc/statuscodes.md). */
export const GrpcStatus = {
  canceled: 1,
  unknown: 2,
  deadlineExceeded: 4,
  notFound: 5,
  resourceExhausted: 8,
  unimplemented: 12,
  unavailable: 14,
  dataLoss: 15,
} as const

/** A call that ended without an answer; `status` comes from the runtime or from the channel. */
export class CallError extends Error {
  override readonly name = 'CallError'
  readonly status: number

  constructor(status: number, message: string, cause?: unknown) {
    super(message, { cause })
    this.status = status
  }
}

export interface Method<Request, Response> {
  readonly path: string
  encode(request: Request): Uint8Array
  decode(bytes: Uint8Array): Response
}

export interface Channel {
  call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    signal?: AbortSignal,
  ): Promise<Response>
  /** The connection is lost: every later call fails at once. */
  isLost(): boolean
  close(): void
}

export interface ChannelOptions {
  readonly timeoutMs: number
  readonly maxBytes: number
}

/**
 * Unary gRPC over one unix socket: every call ends with an answer or a `CallError` within its limit.
 * Not grpc-js, which costs every composer 30–60 ms and 4 MB more.
 */
export function openChannel(socketPath: string, { timeoutMs, maxBytes }: ChannelOptions): Channel {
  let lost: Error | undefined
  const session = openSession('http://localhost', {
    createConnection: () => openSocket(socketPath),
  })
  session.on('error', (error) => (lost ??= error))

  const isLost = (): boolean => session.destroyed || session.closed

  function call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    signal?: AbortSignal,
  ): Promise<Response> {
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    if (signal?.aborted === true) {
      return Promise.reject(new CallError(GrpcStatus.canceled, 'canceled by the caller'))
    }
    if (isLost()) {
      const message = lost?.message ?? 'the connection is closed'
      return Promise.reject(new CallError(GrpcStatus.unavailable, message, lost))
    }
    const stream = session.request({
      ':method': 'POST',
      ':path': method.path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': `${timeoutMs}m`,
    })
    const late = `no answer within ${timeoutMs} ms`
    const timer = setTimeout(() => fail(GrpcStatus.deadlineExceeded, late), timeoutMs)
    const cancel = (): void => fail(GrpcStatus.canceled, 'canceled by the caller')
    signal?.addEventListener('abort', cancel)
    const chunks: Buffer[] = []
    let received = 0
    let http = 200
    let status: number | undefined
    let text = ''

    function settle(): void {
      clearTimeout(timer)
      signal?.removeEventListener('abort', cancel)
    }
    function fail(code: number, message: string, cause?: unknown): void {
      settle()
      reject(new CallError(code, message, cause))
      if (!stream.destroyed) stream.close(constants.NGHTTP2_CANCEL)
    }
    function readHeaders(headers: IncomingHttpHeaders): void {
      if (headers[':status'] !== undefined) http = Number(headers[':status'])
      if (headers['grpc-status'] === undefined) return
      status = Number(headers['grpc-status'])
      text = percentDecoded(String(headers['grpc-message'] ?? ''))
    }

    stream.on('response', readHeaders)
    stream.on('trailers', readHeaders)
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      received += chunk.length
      if (received > maxBytes + PREFIX_BYTES || announcedBytes(chunks) > maxBytes) {
        fail(GrpcStatus.resourceExhausted, `the answer is larger than ${maxBytes} bytes`)
      }
    })
    stream.on('error', (error) => {
      // http2 reports "pending stream canceled"; ECONNREFUSED is in the cause
      const reason = lost ?? (error.cause instanceof Error ? error.cause : error)
      fail(GrpcStatus.unavailable, reason.message, reason)
    })
    stream.on('close', () => {
      settle()
      if (http !== 200) {
        const code = http === 404 ? GrpcStatus.unimplemented : GrpcStatus.unavailable
        return fail(code, `HTTP status ${http}`)
      }
      if (status === undefined) {
        return fail(GrpcStatus.unavailable, lost?.message ?? 'closed before the answer', lost)
      }
      // the runtime knows the limit too, and may be the first to report it, without its length
      if (status === GrpcStatus.deadlineExceeded)
        return fail(status, text === '' ? late : `${late}: ${text}`)
      if (status !== 0) return fail(status, text)
      try {
        resolve(method.decode(unframe(chunks)))
      } catch (error) {
        fail(GrpcStatus.dataLoss, 'the answer cannot be decoded', error)
      }
    })
    stream.end(frame(method.encode(request)))
    return promise
  }

  return { call, isLost, close: () => session.destroy() }
}

function percentDecoded(message: string): string {
  try {
    return decodeURIComponent(message)
  } catch {
    return message
  }
}

// a message on the wire: one byte 0 (not compressed), four bytes of length, big-endian
const PREFIX_BYTES = 5

function frame(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(PREFIX_BYTES + message.length)
  framed.writeUInt32BE(message.length, 1)
  framed.set(message, PREFIX_BYTES)
  return framed
}

/** The one message in `chunks`; throws where they hold anything else. */
function unframe(chunks: readonly Buffer[]): Buffer {
  const answer = Buffer.concat(chunks)
  const whole = answer.length >= PREFIX_BYTES && answer[0] === 0
  if (!whole || answer.length !== PREFIX_BYTES + answer.readUInt32BE(1)) {
    throw new Error(`malformed frame of ${answer.length} bytes`)
  }
  return answer.subarray(PREFIX_BYTES)
}

/** The length that the prefix announces; 0 until the whole prefix is in the first chunk. */
function announcedBytes([first]: readonly Buffer[]): number {
  return first !== undefined && first.length >= PREFIX_BYTES ? first.readUInt32BE(1) : 0
}
