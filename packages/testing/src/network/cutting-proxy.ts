import { once } from 'node:events'
import { createServer, request as sendRequest } from 'node:http'
import { portOf } from './free-ports.ts'

/** An HTTP proxy that breaks off large answers. */
export interface CuttingProxy {
  readonly url: string
  /** Bytes of answers that it passed on. */
  readonly passedBytes: number
  /** An answer ends after `bytes` of it: its connection is closed, or nothing more comes. */
  limit: { readonly bytes: number; readonly by: 'close' | 'stall' } | undefined
  close(): void
}

/** A proxy before the HTTP server at `target`; it changes nothing until `limit` is set. */
export async function cuttingProxy(target: string): Promise<CuttingProxy> {
  let passedBytes = 0
  const server = createServer((incoming, outgoing) => {
    const { method, headers, url = '/' } = incoming
    const upstream = sendRequest(new URL(url, target), { method, headers }, (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers)
      let left = proxy.limit?.bytes ?? Infinity
      response.on('data', (chunk: Buffer) => {
        const passed = chunk.subarray(0, left)
        left -= passed.length
        passedBytes += passed.length
        outgoing.write(passed, () => {
          if (left === 0 && proxy.limit?.by === 'close') outgoing.destroy()
        })
        if (left === 0) response.pause()
      })
      response.on('end', () => outgoing.end())
    })
    upstream.on('error', () => outgoing.destroy())
    incoming.pipe(upstream)
    outgoing.on('close', () => upstream.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy: CuttingProxy = {
    url: `http://127.0.0.1:${portOf(server)}`,
    get passedBytes() {
      return passedBytes
    },
    limit: undefined,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
  return proxy
}
