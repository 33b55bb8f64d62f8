import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, vi } from 'vitest'
import { test as base } from '@core-dump-handler/testing/scratch'
import { portOf } from '@core-dump-handler/testing/network/free-ports'
import { UploadQueue, openDestination } from '../index.ts'
import type { QueueEvent, S3Options } from '../index.ts'

const BUNDLES = 500
const FIRST_MS = 12_000
const KEYS = { accessKeyId: 'AKIDTEST1234', secretAccessKey: 'SECRET123456' }

interface Answer {
  readonly status: number
  readonly body: string
}

const xml = (status: number, code: string): Answer => ({
  status,
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>as tested</Message></Error>`,
})
const page = (status: number): Answer => ({ status, body: '<html><body>Bad<br></body></html>' })

/** A store that gives one answer to everything until it is well, and counts all requests. */
interface SickStore extends AsyncDisposable {
  readonly url: string
  readonly requests: number
  recover(): void
  /** Accept no connection, or accept again. */
  close(): Promise<void>
  open(): Promise<void>
}

async function sickStore(answer: Answer): Promise<SickStore> {
  let requests = 0
  let isWell = false
  let server: Server | undefined
  let port = 0
  const stored = new Map<string, { etag: string; token: string; bytes: number }>()
  const start = async (): Promise<void> => {
    server = createServer((incoming, outgoing) => {
      requests++
      let bytes = 0
      incoming.on('data', (chunk: Buffer) => (bytes += chunk.length))
      incoming.once('end', () => {
        const { method, url = '' } = incoming
        const object = stored.get(url.split('?')[0] ?? '')
        if (!isWell) {
          outgoing.writeHead(answer.status, { 'content-type': 'text/html' })
          outgoing.end(method === 'HEAD' ? undefined : answer.body)
        } else if (method === 'PUT') {
          const token = String(incoming.headers['x-amz-meta-upload-token'])
          stored.set(url.split('?')[0] ?? '', { etag: 'e', token, bytes })
          outgoing.writeHead(200, { etag: '"e"' }).end()
        } else if (object) {
          const headers = { etag: '"e"', 'last-modified': new Date(0).toUTCString() }
          outgoing.writeHead(200, {
            ...headers,
            'content-length': object.bytes,
            'x-amz-meta-upload-token': object.token,
          })
          outgoing.end()
        } else outgoing.writeHead(404).end()
      })
    }).listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = portOf(server)
  }
  const close = async (): Promise<void> => {
    server?.closeAllConnections()
    await new Promise((resolve) => server?.close(resolve))
  }
  await start()
  return {
    url: `http://127.0.0.1:${port}`,
    get requests() {
      return requests
    },
    recover: () => void (isWell = true),
    close,
    open: start,
    [Symbol.asyncDispose]: close,
  }
}

const it = base.extend<{ spool: string }>({
  spool: async ({ dir }, use) => {
    await mkdir(join(dir, 'spool'))
    const names = Array.from({ length: BUNDLES }, (_, n) => join(dir, 'spool', `${n}.zip`))
    await Promise.all(names.map((name) => writeFile(name, 'a bundle')))
    await use(join(dir, 'spool'))
  },
})

interface Outage {
  readonly events: QueueEvent[]
  readonly lines: () => number
  readonly queue: UploadQueue
  stop(): Promise<void>
}

/** A line of the agent's log is an event that is neither the start of an upload nor one like the others. */
function isLine(event: QueueEvent): boolean {
  if (event.type === 'failed') return event.ofDestination !== true
  return event.type !== 'started' && event.type !== 'progress'
}

function runQueue(spool: string, s3: S3Options): Outage {
  const events: QueueEvent[] = []
  const destination = openDestination('s3://cores', { s3: { region: 'us-east-1', ...s3 } })
  const onEvent = (event: QueueEvent): void => void events.push(event)
  const queue = new UploadQueue(spool, destination, { onEvent, lock: 'off' })
  const end = new AbortController()
  const running = queue.run({ signal: end.signal })
  return {
    events,
    queue,
    lines: () => events.filter(isLine).length,
    async stop() {
      end.abort()
      await running
      await destination.close()
    },
  }
}

const OUTAGES: readonly (readonly [name: string, answer: Answer, code: string])[] = [
  ['502 of a gateway', page(502), 'STORE'],
  ['504 of a gateway', page(504), 'STORE'],
  ['500 InternalError', xml(500, 'InternalError'), 'STORE'],
  ['503 SlowDown', xml(503, 'SlowDown'), 'THROTTLED'],
  ['403 AccessDenied', xml(403, 'AccessDenied'), 'DENIED'],
  ['403 UserSuspended', xml(403, 'UserSuspended'), 'DENIED'],
  ['403 with a page', page(403), 'UNREACHABLE'],
  ['400 InvalidRequest', xml(400, 'InvalidRequest'), 'REFUSED'],
  ['200 with a page', page(200), 'UNREACHABLE'],
]

describe('500 waiting bundles', () => {
  it.concurrent.for(OUTAGES)(
    'D1, D2: cause few requests and lines while the store answers %s, and are uploaded afterwards',
    { timeout: 120_000 },
    async ([, answer, code], { spool }) => {
      await using store = await sickStore(answer)
      const outage = runQueue(spool, { endpoint: store.url, credentials: KEYS })
      await sleep(FIRST_MS)

      expect(store.requests).toBeGreaterThan(3)
      expect(store.requests).toBeLessThanOrEqual(100)
      expect(outage.lines()).toBeLessThanOrEqual(20)
      expect(outage.queue.stats()).toMatchObject({ files: BUNDLES, paused: true })
      const paused = outage.events.filter((event) => event.type === 'paused')
      expect(paused.map(({ error }) => error.code)).toEqual([code])
      await outage.stop()

      // a pause may last for minutes: a new queue begins without
      store.recover()
      const after = runQueue(spool, { endpoint: store.url, credentials: KEYS })
      const left = async (): Promise<number> => (await readdir(spool)).length
      await vi.waitFor(async () => expect(await left()).toBeLessThan(BUNDLES - 50), 60_000)
      await after.stop()
    },
  )

  it.concurrent(
    'D1: cause few attempts while the store refuses connections, and are uploaded in a burst once it is back',
    { timeout: 120_000 },
    async ({ spool }) => {
      await using store = await sickStore(page(502))
      const { url } = store
      await store.close()
      const outage = runQueue(spool, { endpoint: url, credentials: KEYS })
      await sleep(5000)
      expect(outage.events.filter(({ type }) => type === 'failed').length).toBeLessThan(20)
      expect(outage.lines()).toBe(1)

      store.recover()
      await store.open()
      await vi.waitFor(async () => expect(await readdir(spool)).toEqual([]), 90_000)
      expect(outage.events.filter(({ type }) => type === 'resumed')).toHaveLength(1)
      await outage.stop()
    },
  )
})
