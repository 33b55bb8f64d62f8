import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { randomFile } from '../testing/files.ts'
import { describeS3, type World } from '../testing/s3.ts'
import { CREDENTIALS } from '../testing/versitygw.ts'

const CHILD = new URL('../testing/child.ts', import.meta.url).pathname
const { accessKeyId, secretAccessKey } = CREDENTIALS
const EXPIRY = '2099-01-01T00:00:00Z'

// versitygw issues no session tokens and refuses those of others: they are empty here
/** The answers of STS, the pod identity agent and the instance metadata service, on loopback. */
async function startCloud(): Promise<{ url: string; asked: string[] } & AsyncDisposable> {
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
    if (pathname === '/') r.end(sts())
    else if (pathname === '/v1/credentials') r.end(JSON.stringify(keys))
    else if (pathname === '/latest/api/token') r.end('imds-token')
    else if (pathname.endsWith('/security-credentials/')) r.end('node-role')
    else if (pathname.endsWith('/node-role')) r.end(JSON.stringify({ Code: 'Success', ...keys }))
    else r.writeHead(404).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function sts(): string {
  return `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>${accessKeyId}</AccessKeyId><SecretAccessKey>${secretAccessKey}</SecretAccessKey><SessionToken></SessionToken><Expiration>${EXPIRY}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`
}

/** Upload in a process of its own, which knows nothing but `env`. */
async function putWith(w: World, env: Readonly<Record<string, string>>): Promise<string> {
  const file = await randomFile(join(w.dir, 'x.zip'), 1000)
  const { credentials: _, region: __, ...s3 } = w.s3
  const args = [
    '--conditions=@core-dump-handler/source',
    CHILD,
    w.url,
    file,
    'x.zip',
    JSON.stringify(s3),
  ]
  const child = spawn(process.execPath, args, {
    env: { AWS_EC2_METADATA_DISABLED: 'true', HOME: w.dir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
  return out + err
}

describeS3('keys that a function gives', (world) => {
  test('are asked for again once the store has refused them: a rotation needs no new destination', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 1000)
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

  test('and that cannot be given are a failure that is tried again', async () => {
    await using w = await world()
    const store = w.open({ credentials: async () => Promise.reject(new Error('no such file')) })
    await expect(store.check()).rejects.toMatchObject({
      name: 'UploadError',
      code: 'NO_CREDENTIALS',
      retryable: true,
      message: expect.stringContaining('no such file'),
    })
  })
})

describeS3('without keys of ours, credentials come from', (world) => {
  test('the environment', async () => {
    await using w = await world()
    const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
    expect(await putWith(w, env)).toContain('"outcome":"stored"')
  })

  test('a profile', async () => {
    await using w = await world()
    const file = join(w.dir, 'credentials')
    const keys = `aws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\n`
    await writeFile(file, `[node]\n${keys}`)
    const env = { AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: 'node' }
    expect(await putWith(w, env)).toContain('"outcome":"stored"')
  })

  test('a web identity (IRSA)', async () => {
    await using w = await world()
    await using cloud = await startCloud()
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

  test('the pod identity agent', async () => {
    await using w = await world()
    await using cloud = await startCloud()
    const env = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${cloud.url}/v1/credentials` }
    expect(await putWith(w, env)).toContain('"outcome":"stored"')
    expect(cloud.asked).toEqual(['GET /v1/credentials'])
  })

  test('the role of the node', async () => {
    await using w = await world()
    await using cloud = await startCloud()
    const env = { AWS_EC2_METADATA_DISABLED: 'false', AWS_EC2_METADATA_SERVICE_ENDPOINT: cloud.url }
    expect(await putWith(w, env)).toContain('"outcome":"stored"')
    expect(cloud.asked[0]).toBe('PUT /latest/api/token')
  })

  test('nowhere: it says what to give', async () => {
    await using w = await world()
    const output = await putWith(w, {})
    expect(output).toContain("code: 'NO_CREDENTIALS'")
    expect(output).toContain('Give an access key and its secret')
  })
})
