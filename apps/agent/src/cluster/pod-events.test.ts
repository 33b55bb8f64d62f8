import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import type { Delivery } from '../monitoring/queue-observer.ts'
import type { Log } from '../log/open-log.ts'
import { fakeApiServer } from '@core-dump-handler/testing/agent/api-server'
import { apiServer } from './api-server.ts'
import { podEvent, PodEvents } from './pod-events.ts'

const ignore = (): void => undefined
const QUIET: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore, fatal: ignore }

const DELIVERY: Delivery = {
  manifest: {
    schema: 'core-dump-handler/bundle@1',
    composer: '0.1.0',
    node: { hostname: 'node-1', kernel: '6.1.0' },
    uuid: '0b9a5a3e-0000-4000-8000-000000000000',
    crash: { time: '2026-11-23T06:00:00.123Z', signalName: 'SIGSEGV', exe: '/usr/bin/shop' },
    identity: {
      status: 'verified',
      pod: 'shop-1',
      namespace: 'web',
      podUid: 'uid-1',
      container: 'main',
    },
    core: { bytes: 4096, complete: true },
    timings: { heldMs: 20, lookupMs: 1, totalMs: 30 },
    problems: [],
  },
  stored: {
    url: 's3://cores/a.zip',
    key: 'a.zip',
    bytes: 100,
    outcome: 'stored',
    parts: 0,
    keptParts: 0,
  },
}
const { manifest } = DELIVERY

test('the Event on a pod has the address of its core', () => {
  expect(podEvent(DELIVERY, 'node-1')).toMatchObject({
    namespace: 'web',
    event: {
      metadata: { name: 'core-dump-0b9a5a3e-0000-4000-8000-000000000000', namespace: 'web' },
      reason: 'CoreDump',
      message: '/usr/bin/shop crashed by SIGSEGV: a core (4096 bytes) is in s3://cores/a.zip',
      involvedObject: { name: 'shop-1', uid: 'uid-1', fieldPath: 'spec.containers{main}' },
      source: { host: 'node-1' },
      firstTimestamp: '2026-11-23T06:00:00Z',
    },
  })
})

test('the Event has where it crashed, and the beginning of the fingerprint', () => {
  const fingerprint = { id: '0123456789abcdef01234567', family: '76543210fedcba9876543210' }
  const known = { ...manifest, topFrame: 'crash_here (shop)', fingerprint }
  expect(podEvent({ ...DELIVERY, manifest: known }, undefined)?.event.message).toBe(
    '/usr/bin/shop crashed by SIGSEGV in crash_here (shop) [01234567]: a core (4096 bytes) is in s3://cores/a.zip',
  )
})

test.for([
  [1, 'seen for the first time on this node'],
  [7, 'seen 7 times on this node'],
] as const)('the Event has how often its fingerprint was seen: %i', ([times, often]) => {
  const fingerprint = { id: '0123456789abcdef01234567', family: '76543210fedcba9876543210' }
  const delivery = { ...DELIVERY, manifest: { ...manifest, fingerprint } }
  expect(podEvent(delivery, undefined, times)?.event.message).toBe(
    `/usr/bin/shop crashed by SIGSEGV [01234567], ${often}: a core (4096 bytes) is in s3://cores/a.zip`,
  )
})

test.for(['unverified', 'host'] as const)(
  'no Event is created for a crash that is %s',
  (status) => {
    const guess = { ...manifest, identity: { ...manifest.identity, status } }
    expect(podEvent({ ...DELIVERY, manifest: guess }, undefined)).toBeUndefined()
  },
)

test('a name that a program chose stays one bounded line', () => {
  const crash = { ...manifest.crash, exe: `/a\nFAKE \u202E${'x'.repeat(5000)}` }
  const made = podEvent({ ...DELIVERY, manifest: { ...manifest, crash } }, undefined)
  const message = made?.event.message ?? ''
  expect(message.length).toBeLessThanOrEqual(1024)
  expect(message).toMatch(/^\/a\\u000aFAKE \\u202ex+ crashed by SIGSEGV: .*a\.zip$/)
})

test('Events are created one after the other; a refused or failed one does not stop the next', async () => {
  const statuses = [201, 409, 403, 201]
  const taken: unknown[] = []
  const env = await fakeApiServer((request, response) => {
    void text(request).then((body) => {
      taken.push([request.method, request.url, /"kind":"(\w+)"/.exec(body)?.[1]])
      response.writeHead(statuses[taken.length - 1] ?? 500).end('{}')
    })
  })
  const warned: unknown[] = []
  const log: Log = { ...QUIET, warn: (facts: object | string) => void warned.push(facts) }
  const server = apiServer(env)
  if (server === undefined) throw new Error('These are not the variables of a pod')
  const events = new PodEvents(server, 'node-1', log)
  for (const _ of statuses) events.note(DELIVERY)

  await expect.poll(() => taken).toHaveLength(4)
  expect(taken[0]).toEqual(['POST', '/api/v1/namespaces/web/events', 'Event'])
  expect(warned).toEqual([{ namespace: 'web', status: 403 }])

  const nowhere = new PodEvents({ ...server, port: '1' }, undefined, log)
  nowhere.note(DELIVERY)
  await expect.poll(() => warned).toHaveLength(2)
})
