import { once } from 'node:events'
import { createServer } from 'node:http'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import type { S3Credentials } from '../index.ts'
import { randomFile } from '@core-dump-handler/testing/random-file'
import { portOf } from '@core-dump-handler/testing/network/free-ports'
import { describeS3, type S3Test } from '@core-dump-handler/testing/upload/s3-test'

const EXPIRY = '2099-01-01T00:00:00Z'

// versitygw issues no session tokens and refuses those of others: they are empty here
/** The answers of STS, the pod identity agent and the instance metadata service, on loopback. */
async function startCloud({
  accessKeyId,
  secretAccessKey,
}: S3Credentials): Promise<{ url: string; asked: string[] } & AsyncDisposable> {
  const asked: string[] = []
  const keys = {
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    Token: '',
    Expiration: EXPIRY,
  }
  const server = createServer((q, r) => {
    const { pathname } = new URL(q.url ?? '', 'http://x')
    asked.push(`${q.method} ${pathname}`)
    if (pathname === '/') r.end(sts(accessKeyId, secretAccessKey))
    else if (pathname === '/v1/credentials') r.end(JSON.stringify(keys))
    else if (pathname === '/latest/api/token') r.end('imds-token')
    else if (pathname.endsWith('/security-credentials/')) r.end('node-role')
    else if (pathname.endsWith('/node-role')) r.end(JSON.stringify({ Code: 'Success', ...keys }))
    else r.writeHead(404).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${portOf(server)}`
  return {
    url,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function sts(accessKeyId: string, secretAccessKey: string): string {
  return `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>${accessKeyId}</AccessKeyId><SecretAccessKey>${secretAccessKey}</SecretAccessKey><SessionToken></SessionToken><Expiration>${EXPIRY}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`
}

/** Upload in a process of its own with no environment but `env`. */
async function putWith(w: S3Test, env: Readonly<Record<string, string>>): Promise<string> {
  const file = await randomFile(join(w.dir, 'x.zip'), 1000)
  const { credentials: _, region: __, ...s3 } = w.s3
  const child = w.spawnPut(file, s3, { AWS_EC2_METADATA_DISABLED: 'true', HOME: w.dir, ...env })
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
  return out + err
}

describeS3('a credentials function', (start) => {
  it('is called again after the store has refused the keys', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 1000)
    const { accessKeyId, secretAccessKey } = w.credentials
    const rotated = { accessKeyId, secretAccessKey: 'the-secret-of-last-year' }
    let asked = 0
    const store = w.open({
      credentials: async () => (++asked === 1 ? rotated : { accessKeyId, secretAccessKey }),
    })
    await expect(store.put(file, 'x.zip')).rejects.toMatchObject({ code: 'WRONG_SECRET' })
    expect(await store.put(file, 'x.zip')).toMatchObject({ outcome: 'stored' })
    await store.check()
    expect(asked).toBe(2)
  })

  it('that rejects is a retryable NO_CREDENTIALS', async () => {
    await using w = await start()
    const store = w.open({ credentials: async () => Promise.reject(new Error('no such file')) })
    await expect(store.check()).rejects.toMatchObject({
      name: 'UploadError',
      code: 'NO_CREDENTIALS',
      retryable: true,
      message: expect.stringContaining('no such file'),
    })
  })
})

describeS3('a destination without credentials', (start) => {
  it('takes them from the environment', async () => {
    await using w = await start()
    const { accessKeyId, secretAccessKey } = w.credentials
    const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
    expect(await putWith(w, env)).toContain('"outcome":"stored"')
  })

  it('takes them from a profile', async () => {
    await using w = await start()
    const { accessKeyId, secretAccessKey } = w.credentials
    const file = join(w.dir, 'credentials')
    const keys = `aws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\n`
    await writeFile(file, `[node]\n${keys}`)
    const env = { AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: 'node' }
    expect(await putWith(w, env)).toContain('"outcome":"stored"')
  })

  it('takes them from a web identity (IRSA)', async () => {
    await using w = await start()
    await using cloud = await startCloud(w.credentials)
    const token = join(w.dir, 'token')
    await writeFile(token, 'jwt')
    const output = await putWith(w, {
      AWS_WEB_IDENTITY_TOKEN_FILE: token,
      AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/dumps',
      AWS_ENDPOINT_URL_STS: cloud.url,
      AWS_REGION: 'us-east-1',
    })
    expect(output).toContain('"outcome":"stored"')
    expect(cloud.asked).toEqual(['POST /'])
  })

  it('takes them from the pod identity agent', async () => {
    await using w = await start()
    await using cloud = await startCloud(w.credentials)
    const env = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${cloud.url}/v1/credentials` }
    expect(await putWith(w, env)).toContain('"outcome":"stored"')
    expect(cloud.asked).toEqual(['GET /v1/credentials'])
  })

  it('takes them from the role of the node [B12]', async () => {
    await using w = await start()
    await using cloud = await startCloud(w.credentials)
    const env = { AWS_EC2_METADATA_DISABLED: 'false', AWS_EC2_METADATA_SERVICE_ENDPOINT: cloud.url }
    expect(await putWith(w, env)).toContain('"outcome":"stored"')
    expect(cloud.asked[0]).toBe('PUT /latest/api/token')
  })

  it('rejects with advice when there are none [B12]', async () => {
    await using w = await start()
    const output = await putWith(w, {})
    expect(output).toContain("code: 'NO_CREDENTIALS'")
    expect(output).toContain('Give an access key and its secret')
  })
})
