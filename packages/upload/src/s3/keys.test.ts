import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { portOf } from '@core-dump-handler/testing/network/free-ports'
import { MIB, randomFile } from '@core-dump-handler/testing/random-file'
import { describeS3, type S3Test } from '@core-dump-handler/testing/upload/s3-test'
import type { S3Options } from '../index.ts'

const sockets = (): number => readdirSync('/proc/self/fd').length
const denied = (code: string) => ({ kind: 's3-error', status: 403, code }) as const

/** Keys in a file, as an agent reads them. */
async function keyFile(w: S3Test, secret: string): Promise<S3Options & { file: string }> {
  const file = join(w.dir, 'secret')
  await writeFile(file, secret)
  const { accessKeyId } = w.credentials
  const credentials = async (): Promise<{ accessKeyId: string; secretAccessKey: string }> => {
    const secretAccessKey = await readFile(file, 'utf8')
    if (secretAccessKey === '') throw new Error(`${file} is empty`)
    return { accessKeyId, secretAccessKey }
  }
  return { file, credentials, credentialFiles: [file] }
}

describeS3('keys of files', (start) => {
  it('D5: are read again after their rights were refused', async () => {
    await using w = await start()
    let asked = 0
    const { secretAccessKey, accessKeyId } = w.credentials
    const store = w.open({
      credentials: async () => (asked++, { accessKeyId, secretAccessKey }),
    })
    await store.check()
    for (const [code, on] of [
      ['AccessDenied', 'PutObject'],
      ['UserSuspended', 'PutObject'],
    ] as const) {
      const file = await randomFile(join(w.dir, `${code}.zip`), 10)
      w.proxy.injectOnce(on, denied(code))
      await expect(store.put(file, `${code}.zip`)).rejects.toMatchObject({ code: 'DENIED' })
      await store.put(file, `${code}.zip`)
    }
    expect(asked).toBe(3)
  })

  it('D5: are read again when a file changes, without a refusal', async () => {
    await using w = await start()
    const { file, ...options } = await keyFile(w, w.credentials.secretAccessKey)
    const store = w.open(options)
    await store.check()
    await writeFile(file, 'another secret')
    await expect(store.check()).rejects.toMatchObject({ code: 'WRONG_SECRET' })
    await writeFile(file, w.credentials.secretAccessKey)
    await store.check()
  })

  it('D6: may be empty at first', async () => {
    await using w = await start()
    const { file, ...options } = await keyFile(w, '')
    const store = w.open(options)
    await expect(store.check()).rejects.toMatchObject({
      code: 'NO_CREDENTIALS',
      message: expect.stringContaining(file),
    })
    expect(w.proxy.seen).toEqual([])
    await writeFile(file, w.credentials.secretAccessKey)
    await store.check()
  })
})

describeS3('a client', (start) => {
  it('D11: leaves no sockets when its credentials are refused for long', async () => {
    await using w = await start()
    const { file: _, ...options } = await keyFile(w, 'wrong')
    const before = sockets()
    for (const store of [
      w.open(options),
      w.open({ credentials: { ...w.credentials, secretAccessKey: 'wrong-secret' } }),
    ]) {
      for (let n = 0; n < 200; n++) await store.check().catch(() => {})
      expect(sockets()).toBeLessThan(before + 10)
      await store.close()
    }
  })

  it('D18: learns the region from the first answer, and sends each part once', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    const headers = { 'x-amz-bucket-region': w.s3.region ?? '' }
    w.proxy.inject({ on: 'HeadObject', kind: 'response', status: 301, headers, times: 1 })
    const store = w.open({ region: 'eu-west-3' })

    expect(await store.put(file, 'x.zip')).toMatchObject({ outcome: 'stored', parts: 3 })
    expect(w.proxy.count('UploadPart')).toBe(3)
    expect(w.proxy.count('CreateMultipartUpload')).toBe(1)
    expect(w.proxy.count('HeadObject')).toBe(3)
  })

  it('D18: learns the region from an answer that names the one of its signature', async () => {
    await using w = await start()
    const body = `<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message><Region>${w.s3.region}</Region></Error>`
    w.proxy.inject({ on: 'PutObject', kind: 'response', status: 400, body, times: 1 })
    w.proxy.inject({ on: 'HeadObject', kind: 'response', status: 404, times: 1 })
    const file = await randomFile(join(w.dir, 'x.zip'), 10)
    await w.open({ region: 'eu-west-3' }).put(file, 'x.zip')
    expect(w.proxy.count('PutObject')).toBe(2)
  })
})

describeS3('check()', (start) => {
  it.for([
    ['UserSuspended', 403],
    ['AllAccessDisabled', 403],
    ['KMS.DisabledException', 400],
    ['SignatureDoesNotMatch', 403],
    ['InvalidAccessKeyId', 403],
  ] as const)('D4: rejects for %s', async ([code, status]) => {
    await using w = await start()
    w.proxy.inject({ on: 'HeadObject', kind: 'response', status, times: 9 })
    w.proxy.inject({ on: 'other', kind: 's3-error', status, code, times: 9 })
    await expect(w.store.check()).rejects.toMatchObject({
      name: 'UploadError',
      scope: 'destination',
    })
  })

  it('D4: rejects for a 403 of a gateway', async () => {
    await using w = await start()
    const body = '<html><body>Forbidden<br></body></html>'
    w.proxy.inject({ on: 'HeadObject', kind: 'response', status: 403, times: 9 })
    w.proxy.inject({ on: 'other', kind: 'response', status: 403, body, times: 9 })
    const failure = { code: 'UNREACHABLE', message: expect.not.stringContaining('s3:PutObject') }
    await expect(w.store.check()).rejects.toMatchObject(failure)
  })

  it('D4, D12: is one HEAD where the bucket may be listed, and resolves where it may not', async () => {
    await using w = await start()
    await w.store.check()
    expect(w.proxy.seen).toEqual(['HeadObject'])
    w.proxy.inject({ on: 'HeadObject', kind: 'response', status: 403, times: 9 })
    w.proxy.inject({ ...denied('AccessDenied'), on: 'other', times: 9 })
    await w.store.check()
  })
})

/** A process of its own, with no environment but `env`: what it reports. */
async function outputWith(w: S3Test, env: Readonly<Record<string, string>>): Promise<string> {
  const file = await randomFile(join(w.dir, 'x.zip'), 1000)
  const { credentials: _, region: __, ...s3 } = w.s3
  const child = w.spawnPut(file, s3, { HOME: w.dir, AWS_REGION: 'eu-west-3', ...env })
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
  expect(w.proxy.seen).toEqual([])
  return out + err
}

describeS3('credentials that cannot be had', (start) => {
  it('D4, W11: name STS, the role and the token file, and no rights on objects', async () => {
    await using w = await start()
    const refusal =
      '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>'
    const sts = createServer((q, r) => {
      q.resume().once('end', () => r.writeHead(403, { 'content-type': 'text/xml' }).end(refusal))
    }).listen(0, '127.0.0.1')
    await once(sts, 'listening')
    const token = join(w.dir, 'token')
    await writeFile(token, 'jwt')
    const role = 'arn:aws:iam::111122223333:role/x'
    const output = await outputWith(w, {
      AWS_WEB_IDENTITY_TOKEN_FILE: token,
      AWS_ROLE_ARN: role,
      AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${portOf(sts)}`,
    })
    const host = `127.0.0.1:${portOf(sts)}`
    sts.close()
    for (const part of ["'NO_CREDENTIALS'", host, role, token, 'trust policy']) {
      expect(output).toContain(part)
    }
    expect(output).not.toContain('s3:PutObject')
  })

  it('W11: name the endpoint of the pod identity agent that refuses connections', async () => {
    await using w = await start()
    const url = 'http://127.0.0.1:9/v1/credentials'
    const output = await outputWith(w, { AWS_CONTAINER_CREDENTIALS_FULL_URI: url })
    for (const part of ["'NO_CREDENTIALS'", url, 'ECONNREFUSED']) expect(output).toContain(part)
    expect(output).not.toContain('is not a valid container metadata service hostname')
  })

  it('W11: name the hop limit where the metadata service gives none', async () => {
    await using w = await start()
    const endpoint = 'http://127.0.0.1:9'
    const output = await outputWith(w, { AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint })
    for (const part of ["'NO_CREDENTIALS'", endpoint, 'hop limit']) expect(output).toContain(part)
  })
})
