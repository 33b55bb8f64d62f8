import { UploadError, type QueueEvent, type Stored } from '@core-dump-handler/upload'
import { expect, test } from 'vitest'
import { queueCounter } from './observe-queue.ts'
import { Metrics } from './metrics.ts'
import { Readiness } from './readiness.ts'

const FILE = { file: '/cores/x.zip' }
const STORED: Stored = {
  url: 's3://b/x.zip',
  key: 'x.zip',
  bytes: 1,
  outcome: 'stored',
  parts: 0,
  keptParts: 0,
}

test('a bucket that answers and takes no bundle is not ready until it takes one', () => {
  const readiness = new Readiness({ usesDestination: true })
  const tell = queueCounter(new Metrics(), readiness, () => undefined)
  const isOk = (): boolean => readiness.checks()[1]?.ok ?? false
  const fail = (code: 'DENIED' | 'CHANGED'): void =>
    tell({ type: 'failed', ...FILE, error: new UploadError(code, `it is ${code}`), attempt: 1 })

  readiness.destinationAnswered()
  expect(isOk()).toBe(true)
  fail('CHANGED')
  expect(isOk()).toBe(true)
  fail('DENIED')
  const progress: QueueEvent = { type: 'progress', ...FILE, progress: { bytes: 1, totalBytes: 2 } }
  tell(progress)
  readiness.destinationAnswered() // by the look at the bucket
  expect(readiness.checks()[1]).toMatchObject({ ok: false, detail: 'it is DENIED' })
  tell({ type: 'stored', ...FILE, stored: STORED, durationMs: 1, ageMs: 1, deleted: true })
  expect(isOk()).toBe(true)
})
