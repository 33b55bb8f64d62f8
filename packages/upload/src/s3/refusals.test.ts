import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import type { S3Options, UploadError } from '../index.ts'
import { MIB, randomFile } from '../testing/files.ts'
import { describeS3 } from '../testing/s3.ts'
import { Versitygw, findVersitygw } from '../testing/versitygw.ts'

const SECRET = 'canary-secret-4711'

describeS3('an S3 store that refuses us', (world) => {
  test.for([
    [{ credentials: { accessKeyId: 'tester', secretAccessKey: SECRET } }, 'WRONG_SECRET', false],
    [{ credentials: { accessKeyId: 'nobody', secretAccessKey: SECRET } }, 'WRONG_SECRET', false],
    [{ endpoint: 'http://store.invalid' }, 'UNREACHABLE', true],
    [{ endpoint: 'http://127.0.0.1:1' }, 'UNREACHABLE', true],
    [{ endpoint: 'https' }, 'TLS', true],
    [{ caFile: '/no/such/ca.pem' }, 'TLS', true],
  ] as const)('with %o says %s', async ([options, code, retryable]) => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 100)
    const s3: S3Options =
      'endpoint' in options && options.endpoint === 'https'
        ? { endpoint: w.server.url.replace('http:', 'https:') }
        : options
    const store = w.open({ maxAttempts: 2, ...s3 })

    for (const attempt of [() => store.put(file, 'x.zip'), () => store.check()]) {
      const error = (await attempt().catch((e: unknown) => e)) as UploadError
      expect(error).toMatchObject({ name: 'UploadError', code, retryable })
      expect(`${error.message}${error.stack}${JSON.stringify(error)}`).not.toContain(SECRET)
    }
  })

  test('because of a missing bucket names it', async () => {
    await using w = await world()
    const { openDestination } = await import('../index.ts')
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

  test('and is reachable passes the check', async () => {
    await using w = await world()
    await expect(w.store.check()).resolves.toBeUndefined()
  })

  test('whose connections stay silent is given up [agent-12]', async () => {
    await using w = await world()
    const silent = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => silent.once('listening', resolve))
    const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`

    const attempt = w.open({ endpoint, maxAttempts: 1, idleTimeoutMs: 300 }).check()

    const message = expect.stringContaining(new URL(endpoint).host)
    await expect(attempt).rejects.toMatchObject({ code: 'UNREACHABLE', message })
    silent.close()
  })

  test('by a certificate that nobody signed says so, until the CA file has it [agent-11]', async () => {
    await using w = await world()
    const [key, cert] = [join(w.dir, 'key.pem'), join(w.dir, 'cert.pem')]
    const subject = ['-subj', '/CN=store', '-addext', 'subjectAltName=IP:127.0.0.1']
    const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    await promisify(execFile)('openssl', [...make, ...subject, '-keyout', key, '-out', cert])
    await using server = await Versitygw.start(findVersitygw() ?? '', [
      '--cert',
      cert,
      '--key',
      key,
    ])
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    const store = w.open({ endpoint: server.url })

    await expect(store.put(file, 'x.zip')).rejects.toMatchObject({
      code: 'TLS',
      message: expect.stringContaining('CA file'),
    })
    const trusting = w.open({ endpoint: server.url, caFile: cert })

    expect(await trusting.put(file, 'x.zip')).toMatchObject({ outcome: 'stored', parts: 3 })
  })
})
