import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer } from 'node:tls'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { isUploadError, openDestination } from '../index.ts'
import type { S3Options } from '../index.ts'
import { MIB, randomFile } from '@core-dump-handler/testing/random-file'
import { portOf } from '@core-dump-handler/testing/network/free-ports'
import { describeS3 } from '@core-dump-handler/testing/upload/s3-test'

const SECRET = 'canary-secret-4711'

/** TLS in front of a server that speaks plain HTTP. */
async function startTls(
  target: string,
  key: Buffer,
  cert: Buffer,
): Promise<{ url: string } & AsyncDisposable> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Duplex>()
  const server = createTlsServer({ key, cert }, (client) => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket.on('error', () => {}))
    }
    client.pipe(upstream).pipe(client)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `https://127.0.0.1:${portOf(server)}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

describeS3('a store that refuses', (start) => {
  it.for([
    [{ credentials: { accessKeyId: 'AKTEST', secretAccessKey: SECRET } }, 'WRONG_SECRET', false],
    [{ credentials: { accessKeyId: 'AKUNKNOWN', secretAccessKey: SECRET } }, 'WRONG_SECRET', false],
    [{ endpoint: 'http://store.invalid' }, 'UNREACHABLE', true],
    [{ endpoint: 'http://127.0.0.1:1' }, 'UNREACHABLE', true],
    [{ endpoint: 'https' }, 'TLS', true],
    [{ caFile: '/no/such/ca.pem' }, 'TLS', true],
  ] as const)('with %o rejects with %s', async ([options, code, retryable]) => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 100)
    const s3: S3Options =
      'endpoint' in options && options.endpoint === 'https'
        ? { endpoint: w.server.endpoint.replace('http:', 'https:') }
        : options
    const store = w.open({ maxAttempts: 2, ...s3 })

    for (const attempt of [() => store.put(file, 'x.zip'), () => store.check()]) {
      const error: unknown = await attempt().catch((e: unknown) => e)
      expect(error).toMatchObject({ name: 'UploadError', code, retryable })
      if (!isUploadError(error)) throw error
      expect(`${error.message}${error.stack}${JSON.stringify(error)}`).not.toContain(SECRET)
    }
  })

  it('rejects with NO_BUCKET and the name of a missing bucket', async () => {
    await using w = await start()
    const store = openDestination('s3://no-such-bucket/x', { s3: w.s3 })
    const file = await randomFile(join(w.dir, 'x.zip'), 100)

    for (const attempt of [() => store.put(file, 'x.zip'), () => store.check()]) {
      await expect(attempt()).rejects.toMatchObject({
        code: 'NO_BUCKET',
        scope: 'destination',
        message: expect.stringContaining('no-such-bucket'),
      })
    }
    await store.close()
  })

  it('passes check() when it accepts the credentials', async () => {
    await using w = await start()
    await expect(w.store.check()).resolves.toBeUndefined()
  })

  it('rejects with UNREACHABLE when it never responds [agent-12]', async () => {
    await using w = await start()
    const silent = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => silent.once('listening', resolve))
    const endpoint = `http://127.0.0.1:${portOf(silent)}`

    const attempt = w.open({ endpoint, maxAttempts: 1, idleTimeoutMs: 300 }).check()

    const message = expect.stringContaining(new URL(endpoint).host)
    await expect(attempt).rejects.toMatchObject({ code: 'UNREACHABLE', message })
    silent.close()
  })

  it('rejects with TLS for an unknown certificate, until the CA file contains it [agent-11]', async () => {
    await using w = await start()
    const [key, cert] = [join(w.dir, 'key.pem'), join(w.dir, 'cert.pem')]
    const subject = ['-subj', '/CN=store', '-addext', 'subjectAltName=IP:127.0.0.1']
    const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    await promisify(execFile)('openssl', [...make, ...subject, '-keyout', key, '-out', cert])
    await using tls = await startTls(w.server.endpoint, await readFile(key), await readFile(cert))
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    const store = w.open({ endpoint: tls.url })

    await expect(store.put(file, 'x.zip')).rejects.toMatchObject({
      code: 'TLS',
      message: expect.stringContaining('CA file'),
    })
    const trusting = w.open({ endpoint: tls.url, caFile: cert })

    expect(await trusting.put(file, 'x.zip')).toMatchObject({ outcome: 'stored', parts: 3 })
  })
})
