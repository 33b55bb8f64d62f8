import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { type CriErrorCode, openRuntime, type Runtime } from '../../index.ts'
import { BROKEN, listen } from '@core-dump-handler/testing/cri/broken-runtimes'
import { test } from '@core-dump-handler/testing/scratch'

const LIMIT_MS = 300

const EXPECTED: Readonly<Record<string, CriErrorCode>> = {
  'accepts and never answers': 'CRI_TIMEOUT',
  'closes the connection at once': 'CRI_UNAVAILABLE',
  'sends SETTINGS and never answers': 'CRI_TIMEOUT',
  'sends headers and nothing more': 'CRI_TIMEOUT',
  'sends a byte every 100 ms': 'CRI_TIMEOUT',
  'ends before the answer': 'CRI_UNAVAILABLE',
  'ends within the answer': 'CRI_UNAVAILABLE',
  'sends GOAWAY and nothing more': 'CRI_TIMEOUT',
  'refuses the stream': 'CRI_UNAVAILABLE',
  'answers with more than the limit': 'CRI_TOO_LARGE',
  'announces 4 GiB': 'CRI_TOO_LARGE',
  'sends NOT_FOUND in headers only': 'CRI_NOT_FOUND',
  'sends NOT_FOUND with a message that cannot be decoded': 'CRI_NOT_FOUND',
  'reports the limit itself, before it': 'CRI_TIMEOUT',
  'sends the status UNKNOWN': 'CRI_FAILED',
  'reports no such container as cri-dockerd does': 'CRI_NOT_FOUND',
  'does not serve CRI v1': 'CRI_UNIMPLEMENTED',
  'ends without a status': 'CRI_UNAVAILABLE',
  'cuts the frame': 'CRI_MALFORMED',
  'answers with garbage': 'CRI_MALFORMED',
  'sends OK with no message': 'CRI_MALFORMED',
  'answers HTTP 404': 'CRI_UNIMPLEMENTED',
  'speaks HTTP/1': 'CRI_UNAVAILABLE',
}

async function open(socket: string): Promise<Runtime> {
  return openRuntime({ client: 'grpc', endpoint: `unix://${socket}`, callTimeoutMs: LIMIT_MS })
}

async function failure(runtime: Runtime): Promise<[unknown, number]> {
  const start = performance.now()
  const error: unknown = await runtime.containerStatus('x').catch((reason: unknown) => reason)
  return [error, performance.now() - start]
}

describe('a runtime that', () => {
  const cases = Object.entries(BROKEN).map(([name, serve]) => ({
    name,
    serve,
    code: EXPECTED[name],
  }))
  test.for(cases)('$name fails with $code within the limit', async ({ serve, code }, { dir }) => {
    const socket = join(dir, 's')
    const server = await listen(serve(), socket)
    const runtime = await open(socket)
    try {
      const [error, ms] = await failure(runtime)
      expect(error).toMatchObject({ name: 'CriError', code, endpoint: `unix://${socket}` })
      expect(ms).toBeLessThan(LIMIT_MS + 1500)
      const text = `no answer within ${LIMIT_MS} ms`
      if (code === 'CRI_TIMEOUT') expect(String(error)).toContain(text)
    } finally {
      runtime.close()
      await server.close()
    }
  })
})

test('a socket that is missing or on which no process listens fails at once', async ({ dir }) => {
  const missing = await open(join(dir, 'none'))
  expect(await failure(missing)).toMatchObject([{ code: 'CRI_UNAVAILABLE' }, expect.any(Number)])
  const [error] = await failure(missing)
  expect(String(error)).toMatch(/ContainerStatus of `unix:.*none`: connect ENOENT.*check that/)
  missing.close()

  const plain = await open(import.meta.filename)
  expect((await failure(plain))[0]).toMatchObject({ code: 'CRI_UNAVAILABLE' })
  plain.close()

  const long = await open(join(dir, 'x'.repeat(200)))
  expect((await failure(long))[0]).toMatchObject({ name: 'CriError' })
  long.close()
})

test('parallel calls have limits of their own, and the caller can end one', async ({ dir }) => {
  const socket = join(dir, 's')
  const server = await listen(
    createServer((connection) => void connection.resume()),
    socket,
  )
  const runtime = await open(socket)
  const start = performance.now()
  const results = await Promise.allSettled([
    runtime.containerStatus('a'),
    runtime.podSandboxStatus('b'),
    runtime.imageStatus('c', { signal: AbortSignal.timeout(50) }),
    runtime.listContainers('d', { signal: AbortSignal.abort() }),
  ])
  expect(performance.now() - start).toBeLessThan(LIMIT_MS * 2)
  expect(results.map((one) => one.status === 'rejected' && one.reason.code)).toEqual([
    'CRI_TIMEOUT',
    'CRI_TIMEOUT',
    'CRI_ABORTED',
    'CRI_ABORTED',
  ])
  runtime.close()
  await server.close()
})

test('close ends the call in progress and every later one', async ({ dir }) => {
  const socket = join(dir, 's')
  const server = await listen(
    createServer((connection) => void connection.resume()),
    socket,
  )
  const controller = new AbortController()
  const runtime = await openRuntime({ endpoint: socket, client: 'grpc', signal: controller.signal })
  const waiting = runtime.containerStatus('a')
  setTimeout(() => controller.abort(), 50)
  await expect(waiting).rejects.toMatchObject({ code: 'CRI_ABORTED' })
  await expect(runtime.containerStatus('a')).rejects.toMatchObject({ code: 'CRI_ABORTED' })
  await server.close()
})

test('connects again to a runtime that was restarted [identity-13]', async ({ dir }) => {
  const socket = join(dir, 's')
  const before = await listen(BROKEN['ends before the answer'](), socket)
  const runtime = await open(socket)
  expect((await failure(runtime))[0]).toMatchObject({ code: 'CRI_UNAVAILABLE' })
  await before.close()
  const after = await listen(BROKEN['sends NOT_FOUND in headers only'](), socket)
  expect((await failure(runtime))[0]).toMatchObject({ code: 'CRI_NOT_FOUND' })
  runtime.close()
  await after.close()
})
