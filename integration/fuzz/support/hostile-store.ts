import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { portOf } from '@core-dump-handler/testing/network/free-ports'
import { mutate } from '../generate/mutate.ts'
import type { Random } from '../generate/random.ts'
import { text } from '../generate/text.ts'

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const XML = '<?xml version="1.0" encoding="UTF-8"?>'
const CODES = ['InternalError', 'SlowDown', 'AccessDenied', 'NoSuchUpload', 'InvalidPart', 'XYZ']

/** An S3 store that keeps what it is given, and answers truly once in a while. */
export class HostileStore implements AsyncDisposable {
  /** Sizes that HEAD responses contained. */
  readonly reportedSizes = new Set<number>()
  readonly #server = createServer((request, response) => void this.#serve(request, response))
  readonly #sockets = new Set<Socket>()
  #objects = new Map<string, { size: number; headers: Record<string, string> }>()
  #sizes = new Map<string, number>()
  #random: Random | undefined
  #lieOneIn = 3

  static async start(): Promise<HostileStore> {
    const store = new HostileStore()
    store.#server.on('connection', (socket) => {
      store.#sockets.add(socket)
      socket.on('error', () => {}).once('close', () => store.#sockets.delete(socket))
    })
    await new Promise<void>((resolve) => store.#server.listen(0, '127.0.0.1', resolve))
    return store
  }

  get endpoint(): string {
    return `http://127.0.0.1:${portOf(this.#server)}`
  }

  /** Forget everything, and lie as this sequence says. */
  reset(random: Random, lieOneIn: number): void {
    this.#random = random
    this.#lieOneIn = lieOneIn
    this.#objects = new Map()
    this.#sizes = new Map()
    this.reportedSizes.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const body = await buffer(request)
      const answer = this.#truth(request, body)
      const random = this.#random
      if (random === undefined || !random.once(this.#lieOneIn))
        this.#send(request, response, answer)
      else this.#lie(random, request, response, answer)
    } catch {
      response.destroy()
    }
  }

  #truth(request: IncomingMessage, body: Buffer): Answer {
    const url = new URL(request.url ?? '/', 'http://store')
    const upload = url.searchParams.has('uploadId')
    const key = url.pathname
    const etag = { etag: '"0123456789abcdef0123456789abcdef"' }
    switch (request.method) {
      case 'HEAD': {
        const found = this.#objects.get(key)
        if (found === undefined) return { status: 404, headers: {}, body: '' }
        const headers = { 'content-length': String(found.size), ...found.headers }
        return { status: 200, headers, body: '' }
      }
      case 'PUT':
        if (upload) this.#sizes.set(key, (this.#sizes.get(key) ?? 0) + body.length)
        else this.#objects.set(key, { size: body.length, headers: metadata(request) })
        return { status: 200, headers: upload ? { etag: `"${'%'.repeat(5)}"` } : etag, body: '' }
      case 'POST':
        if (url.searchParams.has('uploads')) {
          this.#objects.set(`begun ${key}`, { size: 0, headers: metadata(request) })
          return xml(
            '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>',
          )
        }
        this.#objects.set(key, {
          size: this.#sizes.get(key) ?? 0,
          headers: this.#objects.get(`begun ${key}`)?.headers ?? {},
        })
        return xml(
          '<CompleteMultipartUploadResult><ETag>"e-1"</ETag></CompleteMultipartUploadResult>',
        )
      default:
        return xml(upload ? '<ListPartsResult></ListPartsResult>' : '<ListBucketResult/>')
    }
  }

  #send({ method }: IncomingMessage, response: ServerResponse, answer: Answer): void {
    const length = answer.headers['content-length']
    if (method === 'HEAD' && answer.status === 200) this.reportedSizes.add(Number(length ?? 0))
    response.writeHead(answer.status, answer.headers).end(method === 'HEAD' ? '' : answer.body)
  }

  #lie(random: Random, request: IncomingMessage, response: ServerResponse, truth: Answer): void {
    const { socket } = request
    // a careless store echoes it; no output may contain it
    const mirrored = String(request.headers.authorization)
    switch (random.below(12)) {
      case 0:
        return this.#send(
          request,
          response,
          error(random, random.pick([200, 400, 403, 404, 500]), mirrored),
        )
      case 1:
        return this.#send(request, response, {
          ...truth,
          body: mutate(random, Buffer.from(truth.body)).toString(),
        })
      case 2:
        return this.#send(request, response, {
          ...truth,
          headers: {
            ...truth.headers,
            etag: random.pick(['', '"', `"${'f'.repeat(32)}"`, `W/"${'x'.repeat(3000)}"`]),
          },
        })
      case 3:
        return void socket.end(random.bytes(200))
      case 4:
        return void socket.end(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`)
      case 5:
        return void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n<short')
      case 6:
        return void socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n')
      case 7:
        return void socket.destroy()
      case 8:
        return // never
      case 9:
        return this.#send(request, response, {
          status: random.pick([204, 301, 307, 412, 416, 501, 503, 599]),
          headers: { location: `${this.endpoint}/elsewhere`, 'x-amz-bucket-region': 'x y\t' },
          body: '',
        })
      case 10:
        return this.#send(request, response, {
          ...truth,
          headers: { ...truth.headers, 'content-length': String(random.below(2 ** 31)) },
        })
      default:
        return this.#send(request, response, xml(`<a>${'<b>'.repeat(random.below(5000))}`))
    }
  }
}

function metadata({ headers }: IncomingMessage): Record<string, string> {
  const own = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-'))
  return Object.fromEntries(own.map(([name, value]) => [name, String(value)]))
}

function xml(body: string): Answer {
  return { status: 200, headers: { 'content-type': 'application/xml' }, body: XML + body }
}

function error(random: Random, status: number, mirrored: string): Answer {
  const escaped = text(random)
    .toWellFormed()
    .replaceAll(/[<&]/g, (char) => `&#${char.charCodeAt(0)};`)
  const code = random.once(2) ? random.pick(CODES) : escaped
  const message = random.pick([escaped, mirrored, '&a;&#x1;', ''])
  return { ...xml(`<Error><Code>${code}</Code><Message>${message}</Message></Error>`), status }
}
