import { createServer } from 'node:http'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { UploadQueue, openDestination } from '@core-dump-handler/upload'
import { portOf } from '@core-dump-handler/testing/agent/free-port'
import { DestinationProbe } from './probe-destination.ts'

/** A probe of a store that answers everything with `status`. */
async function probed(status: number): Promise<{
  requests: () => number
  outcomes: string[]
  probe: DestinationProbe
  directory: string
  start: () => void
  queue: UploadQueue
}> {
  let requests = 0
  const server = createServer((_, answer) => (requests++, answer.writeHead(status).end()))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const directory = await mkdtemp(join(tmpdir(), 'agent-'))
  const credentials = { accessKeyId: 'access-key', secretAccessKey: 'secret-key' }
  const endpoint = `http://127.0.0.1:${portOf(server)}`
  const s3 = { endpoint, region: 'us-east-1', credentials, maxAttempts: 1 }
  const destination = openDestination('s3://cores', { s3 })
  const queue = new UploadQueue(directory, destination)
  const outcomes: string[] = []
  const probe = new DestinationProbe({
    destinationAnswered: () => void outcomes.push('answered'),
    destinationFailed: () => void outcomes.push('failed'),
  })
  const stop = new AbortController()
  const running: Promise<void>[] = []
  onTestFinished(async () => {
    stop.abort()
    await Promise.all(running)
    await destination.close()
    server.closeAllConnections()
    server.close()
    await rm(directory, { recursive: true })
  })
  const start = (): void => void running.push(probe.run({ destination, queue }, stop.signal))
  return { requests: () => requests, outcomes, probe, directory, start, queue }
}

test('D12: a store that answers is asked once in minutes, by one request', async () => {
  const { requests, outcomes, start } = await probed(200)
  start()
  await sleep(3000)
  expect(outcomes).toEqual(['answered'])
  expect(requests()).toBe(1)
})

test('D12: a store that fails is asked after ever longer waits', async () => {
  const { requests, outcomes, start } = await probed(502)
  start()
  await sleep(8000)
  expect(outcomes).toContain('failed')
  expect(outcomes).not.toContain('answered')
  expect(requests()).toBeLessThanOrEqual(12)
})

test('D12: a store is not asked while transfers succeed, nor while bundles wait', async () => {
  const idle = await probed(200)
  idle.probe.transferred()
  idle.start()
  const waiting = await probed(502)
  await writeFile(join(waiting.directory, 'a.zip'), 'x')
  const end = new AbortController()
  const running = waiting.queue.run({ signal: end.signal })
  await expect.poll(() => waiting.queue.stats().files).toBe(1)
  waiting.start()
  await sleep(1000)
  end.abort()
  await running
  expect(idle.requests()).toBe(0)
  expect(waiting.outcomes).toEqual([])
})
