import { createServer as createHttp1 } from 'node:http'
import { constants, createServer as createHttp2, type ServerHttp2Stream } from 'node:http2'
import { createServer as createTcp, type Server, type Socket } from 'node:net'

const HEADERS = { ':status': 200, 'content-type': 'application/grpc' }

/** Runtimes that do not answer as they should; each value makes a server to listen on a unix socket. */
export const BROKEN = {
  'accepts and never answers': () =>
    createTcp((socket) => void socket.on('error', () => {}).resume()),
  'closes the connection at once': () => createTcp((socket) => socket.destroy()),
  'sends SETTINGS and never answers': () => http2(() => {}),
  'sends headers and nothing more': () => http2((stream) => stream.respond(HEADERS)),
  'sends a byte every 100 ms': () =>
    http2((stream) => {
      stream.respond(HEADERS)
      const timer = setInterval(() => stream.write(Buffer.alloc(1)), 100)
      stream.once('close', () => clearInterval(timer))
    }),
  'ends before the answer': () => http2((stream) => stream.session?.destroy()),
  'ends within the answer': () =>
    http2((stream) => {
      stream.respond(HEADERS)
      stream.write(frame(big(200_000)).subarray(0, 100_000))
      setTimeout(() => stream.session?.destroy(), 50)
    }),
  'sends GOAWAY and nothing more': () => http2((stream) => stream.session?.goaway(0, 0)),
  'refuses the stream': () => http2((stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM)),
  'answers with more than the limit': () => http2((stream) => answer(stream, big(5 << 20))),
  'announces 4 GiB': () =>
    http2((stream) => {
      stream.respond(HEADERS)
      stream.write(Buffer.from('00fffffff0', 'hex'))
    }),
  'sends NOT_FOUND in headers only': () => status('5', 'container %22x%22: not found'),
  'sends NOT_FOUND with a message that cannot be decoded': () => status('5', '100% bad %zz'),
  'reports the limit itself, before it': () => status('4', 'Deadline exceeded'),
  'sends the status UNKNOWN': () => status('2', 'boom'),
  'reports no such container as cri-dockerd does': () => status('2', 'Error: No such container: x'),
  'does not serve CRI v1': () => status('12', 'unknown service runtime.v1.RuntimeService'),
  'ends without a status': () =>
    http2((stream) => {
      stream.respond(HEADERS)
      stream.end(frame(big(10)))
    }),
  'cuts the frame': () =>
    http2((stream) => answer(stream, frame(big(1000)).subarray(0, 500), false)),
  'answers with garbage': () =>
    http2((stream) => answer(stream, Buffer.from('0aff01ffffffffffffffffffff', 'hex'))),
  'sends OK with no message': () => status('0', ''),
  'answers HTTP 404': () =>
    http2((stream) => stream.respond({ ':status': 404 }, { endStream: true })),
  'speaks HTTP/1': () => createHttp1((_, response) => void response.end('hi')),
} as const satisfies Record<string, () => Server>

export interface Listening {
  /** The number of connections made so far. */
  readonly connections: () => number
  close(): Promise<void>
}

export async function listen(server: Server, path: string): Promise<Listening> {
  const sockets = new Set<Socket>()
  let connections = 0
  server.on('connection', (socket: Socket) => {
    connections++
    sockets.add(socket.on('error', () => {}).once('close', () => sockets.delete(socket)))
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return {
    connections: () => connections,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function http2(onStream: (stream: ServerHttp2Stream) => void): Server {
  const server = createHttp2()
  server.on('session', (session) => session.on('error', () => {}))
  server.on('stream', (stream) => {
    stream.on('error', () => {})
    onStream(stream)
  })
  return server
}

function status(code: string, message: string): Server {
  const headers = { ...HEADERS, 'grpc-status': code, 'grpc-message': message }
  return http2((stream) => stream.respond(headers, { endStream: true }))
}

function answer(stream: ServerHttp2Stream, body: Buffer, framed = true): void {
  stream.respond(HEADERS, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.end(framed ? frame(body) : body)
}

function frame(body: Buffer): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(body.length, 1)
  return Buffer.concat([prefix, body])
}

/** A ContainerStatusResponse: status { id }, and `bytes` of info. */
function big(bytes: number): Buffer {
  const info = Buffer.concat([field(1, Buffer.from('info')), field(2, Buffer.alloc(bytes, 'a'))])
  return Buffer.concat([field(1, field(1, Buffer.from('abc'))), field(2, info)])
}

function field(number: number, bytes: Buffer): Buffer {
  const head = [(number << 3) | 2]
  let { length } = bytes
  for (; length > 127; length >>>= 7) head.push((length & 127) | 128)
  return Buffer.concat([Buffer.from([...head, length]), bytes])
}
