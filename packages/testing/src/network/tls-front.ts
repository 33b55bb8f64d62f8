import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { portOf } from './free-ports.ts'
import type { Certificate } from './certificate-authority.ts'

/** TLS before a server that speaks plain HTTP; cuts connections on demand. */
export interface TlsFront {
  readonly port: number
  /** Decrypted bytes that were sent. */
  readonly sentBytes: number
  /** Connections that were cut. */
  readonly cuts: number
  /** Cut the connection on which a multiple of `everyBytes` is reached, `times` times; `then` is called at each. */
  cutBody(everyBytes: number, times: number, then?: () => void): void
  /** Cut each new connection after its first bytes. */
  cutHandshakes(): void
  /** Present this certificate from now on. */
  show(certificate: Certificate): void
  /** No more faults. */
  heal(): void
  close(): void
}

export async function tlsFront(target: string, certificate: Certificate): Promise<TlsFront> {
  const { hostname, port } = new URL(target)
  const connections = new Set<Socket>()
  let sentBytes = 0
  let cuts = 0
  let left = 0
  let step = 0
  let next = 0
  let cutsHello = false
  let onCut: (() => void) | undefined

  const cut = (socket: Socket): void => {
    cuts++
    socket.destroy()
  }
  const tls = createTlsServer(files(certificate), (client) => {
    const upstream = connect(Number(port), hostname)
    const end = (): void => void [client.destroy(), upstream.destroy()]
    client.on('data', (chunk: Buffer) => {
      sentBytes += chunk.length
      if (left === 0 || sentBytes < next) return
      left--
      next += step
      cut(client)
      onCut?.()
    })
    client.on('error', end).on('close', end)
    upstream.on('error', end).on('close', end)
    client.pipe(upstream).pipe(client)
  })
  // a client that is cut, or that rejects the certificate
  tls.on('tlsClientError', () => undefined)
  const front = createServer((socket) => {
    connections.add(socket)
    socket.on('close', () => connections.delete(socket)).on('error', () => undefined)
    if (cutsHello) socket.once('data', () => cut(socket))
    else tls.emit('connection', socket)
  })
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')
  return {
    port: portOf(front),
    get sentBytes() {
      return sentBytes
    },
    get cuts() {
      return cuts
    },
    cutBody(everyBytes, times, then) {
      step = next = everyBytes
      left = times
      onCut = then
    },
    cutHandshakes: () => void (cutsHello = true),
    show: (other) => tls.setSecureContext(files(other)),
    heal: () => void (cutsHello = false),
    close() {
      front.close()
      connections.forEach(cut)
    },
  }
}

function files({ keyFile, certFile }: Certificate): { key: Buffer; cert: Buffer } {
  return { key: readFileSync(keyFile), cert: readFileSync(certFile) }
}
