import { createServer, request } from 'node:http'
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { randomFile } from '../testing/files.ts'
import { describeS3 } from '../testing/s3.ts'

/** A forward proxy that knows one store, whatever name it is asked for. */
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
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

describeS3('behind a proxy', (world) => {
  test('a store whose name this machine does not know takes a file', async () => {
    await using w = await world()
    await using proxy = await startProxy(new URL(w.server.url))
    const file = await randomFile(join(w.dir, 'x.zip'), 6_000_000)
    const proxyEnv = { http_proxy: proxy.url }
    const stored = await w.open({ endpoint: 'http://store.invalid', proxyEnv }).put(file, 'x.zip')
    expect(stored).toMatchObject({ outcome: 'stored', parts: 2 })
    expect([...proxy.asked]).toEqual(['store.invalid'])
  })

  test('with TLS it is asked for a tunnel; what NO_PROXY names goes without', async () => {
    await using w = await world()
    await using proxy = await startProxy(new URL(w.server.url))
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
})
