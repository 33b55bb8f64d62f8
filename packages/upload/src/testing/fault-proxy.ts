import { Agent, createServer, request } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** `put`, `part`, `create`, `complete`, `abort`, `parts` (their list), `head`, `list` … */
export type Operation = string

export type Fault =
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly body?: string
      readonly headers?: Readonly<Record<string, string>>
    }
  /** Takes the request, never answers. */
  | { readonly kind: 'hang' }
  /** Cuts the connection in mid-request. */
  | { readonly kind: 'reset' }
  /** Done by the store, but the answer gets lost. */
  | { readonly kind: 'lost' }
  /** Passed on; the answer's headers are changed. */
  | { readonly kind: 'lie'; readonly headers: Readonly<Record<string, string>> }
  /** Something happens before it is passed on. */
  | { readonly kind: 'meanwhile'; readonly act: () => Promise<unknown> }

interface Rule {
  readonly operation: Operation
  readonly fault: Fault
  times: number
}

/** An S3 error as the stores write it. */
export function s3Error(status: number, code: string): Fault {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>said the proxy</Message></Error>`
  return { kind: 'answer', status, body, headers: { 'content-type': 'application/xml' } }
}

/** Stands before a real server and misbehaves as told; all else is passed on. */
export class FaultProxy implements AsyncDisposable {
  /** What came, in order. */
  readonly seen: Operation[] = []
  readonly #agent = new Agent({ keepAlive: true })
  readonly #server = createServer((q, r) => void this.#serve(q, r))
  readonly #rules: Rule[] = []
  readonly #target: URL

  private constructor(target: string) {
    this.#target = new URL(target)
  }

  static async start(target: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(target)
    proxy.#server.listen(0, '127.0.0.1')
    await new Promise((resolve) => proxy.#server.once('listening', resolve))
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The next `times` requests of this kind go wrong. */
  fail(operation: Operation, fault: Fault, times = 1): void {
    this.#rules.push({ operation, fault, times })
  }

  count(operation: Operation): number {
    return this.seen.filter((each) => each === operation).length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#agent.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(q: IncomingMessage, r: ServerResponse): Promise<void> {
    q.on('error', () => {})
    const operation = operationOf(q)
    this.seen.push(operation)
    const rule = this.#rules.find((each) => each.operation === operation && each.times > 0)
    if (!rule) return this.#pass(q, r)
    rule.times--
    const { fault } = rule
    if (fault.kind === 'answer')
      q.resume().once('end', () => r.writeHead(fault.status, fault.headers).end(fault.body))
    else if (fault.kind === 'hang') q.resume()
    else if (fault.kind === 'reset') q.once('readable', () => q.socket.destroy())
    else if (fault.kind === 'lost') this.#pass(q, r, { lost: true })
    else if (fault.kind === 'lie') this.#pass(q, r, { headers: fault.headers })
    else {
      await fault.act()
      this.#pass(q, r)
    }
  }

  #pass(
    q: IncomingMessage,
    r: ServerResponse,
    {
      lost = false,
      headers = {},
    }: { lost?: boolean; headers?: Readonly<Record<string, string>> } = {},
  ): void {
    const { hostname, port } = this.#target
    const { method, url: path, headers: sent } = q
    const up = request(
      { agent: this.#agent, hostname, port, method, path, headers: sent },
      (answer) => {
        if (lost) {
          answer.resume().once('end', () => q.socket.destroy())
          return
        }
        r.writeHead(answer.statusCode ?? 500, { ...answer.headers, ...headers })
        answer.pipe(r)
      },
    )
    up.on('error', () => q.socket.destroy())
    q.pipe(up)
  }
}

function operationOf({ method = '', url = '' }: IncomingMessage): Operation {
  const query = new URL(url, 'http://x').searchParams
  if (query.has('uploadId')) {
    return { PUT: 'part', POST: 'complete', DELETE: 'abort', GET: 'parts' }[method] ?? method
  }
  if (query.has('uploads')) return 'create'
  if (query.has('list-type')) return 'list'
  return method.toLowerCase()
}
