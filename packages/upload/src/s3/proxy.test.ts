import { createServer, request } from 'node:http'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { randomFile } from '@core-dump-handler/testing/random-file'
import { portOf } from '@core-dump-handler/testing/network/free-ports'
import { describeS3 } from '@core-dump-handler/testing/upload/s3-test'

/** A forward proxy that connects to one store, whatever the host of the request. */
async function startProxy(
  store: URL,
): Promise<{ url: string; asked: Set<string> } & AsyncDisposable> {
  const asked = new Set<string>()
  const server = createServer((q, r) => {
    const { pathname, search, host } = new URL(q.url ?? '')
    asked.add(host)
    const options = { host: store.hostname, port: store.port, method: q.method, headers: q.headers }
    const onward = request({ ...options, path: pathname + search }, (answer) => {
      r.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(r)
    })
    q.pipe(onward)
  })
  server.on('connect', (q, socket, head) => {
    asked.add(`CONNECT ${q.url}`)
    const onward = connect(Number(store.port), store.hostname, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      onward.write(head)
      onward.pipe(socket).pipe(onward)
    })
    for (const end of [onward, socket]) end.on('error', () => end.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

describeS3('a destination with proxyEnv', (start) => {
  it('uploads by HTTP to a host that only the proxy can resolve', async () => {
    await using w = await start()
    await using proxy = await startProxy(new URL(w.server.endpoint))
    const file = await randomFile(join(w.dir, 'x.zip'), 6_000_000)
    const proxyEnv = { http_proxy: proxy.url }
    const stored = await w.open({ endpoint: 'http://store.invalid', proxyEnv }).put(file, 'x.zip')
    expect(stored).toMatchObject({ outcome: 'stored', parts: 2 })
    expect([...proxy.asked]).toEqual(['store.invalid'])
  })

  it('opens a tunnel for HTTPS, except to the hosts in NO_PROXY', async () => {
    await using w = await start()
    await using proxy = await startProxy(new URL(w.server.endpoint))
    const options = { endpoint: 'https://store.invalid', maxAttempts: 1 }
    // there is no TLS at the tunnel's other end
    const through = w.open({ ...options, proxyEnv: { HTTPS_PROXY: proxy.url } }).check()
    await expect(through).rejects.toMatchObject({ name: 'UploadError' })
    expect([...proxy.asked]).toEqual(['CONNECT store.invalid:443'])

    const proxyEnv = { HTTPS_PROXY: proxy.url, NO_PROXY: 'store.invalid' }
    await expect(w.open({ ...options, proxyEnv }).check()).rejects.toMatchObject({
      code: 'UNREACHABLE',
    })
    expect(proxy.asked.size).toBe(1)
  })

  it('W1: reaches a store in an excluded network directly', async () => {
    await using w = await start()
    await using proxy = await startProxy(new URL(w.server.endpoint))
    const file = await randomFile(join(w.dir, 'x.zip'), 1000)
    const proxyEnv = { HTTP_PROXY: proxy.url, NO_PROXY: 'localhost,127.0.0.0/8' }
    await w.open({ proxyEnv }).put(file, 'x.zip')
    expect(proxy.asked.size).toBe(0)
  })

  it.for([
    ['http', 502, 'STORE'],
    ['http', 403, 'UNREACHABLE'],
    ['http', 407, 'UNREACHABLE'],
    ['https', 502, 'UNREACHABLE'],
    ['https', 407, 'UNREACHABLE'],
  ] as const)(
    'W1: reports over %s that a proxy has answered %d',
    async ([scheme, status, code]) => {
      await using w = await start()
      const proxy = createServer((q, r) => {
        q.resume().once('end', () =>
          r.writeHead(status, { 'content-type': 'text/html' }).end('<p>'),
        )
      })
      proxy.on('connect', (_, socket) =>
        socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`),
      )
      proxy.listen(0, '127.0.0.1')
      await once(proxy, 'listening')
      const host = `127.0.0.1:${portOf(proxy)}`
      const value = `http://user:canary-word@${host}`
      const proxyEnv = { HTTP_PROXY: value, HTTPS_PROXY: value }
      const endpoint = `${scheme}://store.invalid`

      const failure = await w
        .open({ endpoint, proxyEnv, maxAttempts: 1 })
        .check()
        .catch((error: unknown) => error)

      proxy.close()
      expect(failure).toMatchObject({
        code,
        scope: 'destination',
        message: expect.stringContaining(`through the proxy http://${host}, which answered`),
      })
      expect(JSON.stringify(failure) + String(failure)).not.toContain('canary-word')
    },
  )
})
