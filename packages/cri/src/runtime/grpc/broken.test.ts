import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { type CriErrorCode, openRuntime, type Runtime } from '../../index.ts'
import { BROKEN, listen } from '../../testing/broken-runtimes.ts'
import { test } from '../../testing/scratch.ts'

const LIMIT_MS = 300

const EXPECTED: Record<keyof typeof BROKEN, CriErrorCode> = {
  'accepts and says nothing': 'CRI_TIMEOUT',
  'hangs up at once': 'CRI_UNAVAILABLE',
  'sends SETTINGS and never answers': 'CRI_TIMEOUT',
  'sends headers and nothing more': 'CRI_TIMEOUT',
  'sends a byte every 100 ms': 'CRI_TIMEOUT',
  'dies before the answer': 'CRI_UNAVAILABLE',
  'dies within the answer': 'CRI_UNAVAILABLE',
  'says GOAWAY and nothing more': 'CRI_TIMEOUT',
  'refuses the stream': 'CRI_UNAVAILABLE',
  'answers with more than the limit': 'CRI_TOO_LARGE',
  'announces 4 GiB': 'CRI_TOO_LARGE',
  'says NOT_FOUND in headers only': 'CRI_NOT_FOUND',
  'says NOT_FOUND in words that cannot be decoded': 'CRI_NOT_FOUND',
  'says a status of its own': 'CRI_FAILED',
  'says no such container, as cri-dockerd': 'CRI_NOT_FOUND',
  'does not serve CRI v1': 'CRI_UNIMPLEMENTED',
  'ends without a status': 'CRI_UNAVAILABLE',
  'cuts the frame': 'CRI_MALFORMED',
  'answers with garbage': 'CRI_MALFORMED',
  'says OK with no message': 'CRI_MALFORMED',
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
  const cases = Object.entries(EXPECTED) as [keyof typeof BROKEN, CriErrorCode][]
  test.for(cases)('%s costs its limit at most: %s', async ([name, code], { dir }) => {
    const socket = join(dir, 's')
    const server = await listen(BROKEN[name](), socket)
    const runtime = await open(socket)
    try {
      const [error, ms] = await failure(runtime)
      expect(error).toMatchObject({ name: 'CriError', code, endpoint: `unix://${socket}` })
      expect(ms).toBeLessThan(LIMIT_MS + 1500)
    } finally {
      runtime.close()
      await server.close()
    }
  })
})

test('a socket that is missing, and one where nobody listens, fail at once', async ({ dir }) => {
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

test('parallel calls each keep their own limit, and the caller can end one', async ({ dir }) => {
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

test('close ends what is under way, and every later call', async ({ dir }) => {
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

test('a runtime that was restarted is connected to anew [identity-13]', async ({ dir }) => {
  const socket = join(dir, 's')
  const before = await listen(BROKEN['dies before the answer'](), socket)
  const runtime = await open(socket)
  expect((await failure(runtime))[0]).toMatchObject({ code: 'CRI_UNAVAILABLE' })
  await before.close()
  const after = await listen(BROKEN['says NOT_FOUND in headers only'](), socket)
  expect((await failure(runtime))[0]).toMatchObject({ code: 'CRI_NOT_FOUND' })
  runtime.close()
  await after.close()
})
