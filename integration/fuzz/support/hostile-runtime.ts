import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { loadSync } from '@grpc/proto-loader'
import { mutate } from '../generate/mutate.ts'
import type { Random } from '../generate/random.ts'
import { text } from '../generate/text.ts'

const PROTO = new URL('../../../packages/cri/proto/runtime.proto', import.meta.url).pathname

/** A runtime on a unix socket that answers anything, in any form. */
export class HostileRuntime {
  readonly #server: Http2Server = createServer()
  readonly #sockets = new Set<Socket>()
  readonly #encode = encoders()
  #answer: (stream: ServerHttp2Stream, method: string) => void = () => {}

  static async listen(path: string): Promise<HostileRuntime> {
    const runtime = new HostileRuntime()
    const server = runtime.#server
    server.on('connection', (socket: Socket) => {
      runtime.#sockets.add(socket)
      socket.on('error', () => {}).once('close', () => runtime.#sockets.delete(socket))
    })
    server.on('session', (session) => session.on('error', () => {}))
    server.on('stream', (stream, headers) => {
      stream.on('error', () => {})
      runtime.#answer(stream, String(headers[':path']).split('/').at(-1) ?? '')
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
    return runtime
  }

  /** `sound`: what the messages say may be wild, their form is not. */
  answerWith(random: Random, answers: Readonly<Record<string, object>>, sound: boolean): void {
    this.#answer = (stream, method) => {
      const body = frame(this.#encoded(method, answers))
      if (sound || random.once(2)) respond(stream, body, '0', '')
      else misbehave(random, stream, body)
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #encoded(method: string, answers: Readonly<Record<string, object>>): Buffer {
    try {
      return this.#encode.get(method)?.(answers[method] ?? {}) ?? Buffer.alloc(0)
    } catch {
      // distorted into what no message can hold
      return Buffer.alloc(0)
    }
  }
}

function misbehave(random: Random, stream: ServerHttp2Stream, body: Buffer): void {
  switch (random.below(8)) {
    case 0:
      return respond(
        stream,
        body,
        random.pick(['1', '2', '5', '14', '99', 'x', '']),
        header(random),
      )
    case 1:
      return respond(stream, random.bytes(random.below(200)), '0', '')
    case 2:
      return respond(stream, Buffer.alloc(5 << 20, body), '0', '')
    case 3:
      return stream.respond({ ':status': random.pick([200, 204, 404, 500]) }, { endStream: true })
    case 4:
      return stream.session?.destroy()
    case 5:
      return // never
    default:
      return respond(stream, frame(mutate(random, body.subarray(5))), '0', header(random))
  }
}

function header(random: Random): string {
  return encodeURIComponent(text(random).toWellFormed())
}

function respond(stream: ServerHttp2Stream, body: Buffer, status: string, message: string): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => {
    stream.sendTrailers({ 'grpc-status': status, 'grpc-message': message })
  })
  stream.end(body)
}

function frame(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

/** With grpc-js' codec. */
function encoders(): Map<string, (message: object) => Buffer> {
  const definition = loadSync(PROTO, { longs: String })
  const services = ['runtime.v1.RuntimeService', 'runtime.v1.ImageService']
  return new Map(
    services
      .flatMap((name) => Object.entries(definition[name] ?? {}))
      .map(([method, { responseSerialize }]) => [method, responseSerialize]),
  )
}
