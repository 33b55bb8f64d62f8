import { expect, test } from 'vitest'
import { UploadError } from '@core-dump-handler/upload'
import type { QueueEvent } from '@core-dump-handler/upload'
import type { Log } from '../log/open-log.ts'
import { logQueueEvent } from './open-uploader.ts'

type Levels = Pick<Log, 'debug' | 'info' | 'warn' | 'error'>

test('D1: an outage of the store is one line, however many bundles fail in it', () => {
  const lines: string[] = []
  const write = (level: string) => (): void => void lines.push(level)
  const log: Levels = {
    debug: () => {},
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  }
  const error = new UploadError('UNREACHABLE', 'down')
  const failed: QueueEvent = {
    type: 'failed',
    file: '/cores/a.zip',
    error,
    ofDestination: true,
    attempt: 1,
    retryInMs: 1000,
  }
  for (let n = 0; n < 500; n++) logQueueEvent(log, failed)
  logQueueEvent(log, { type: 'paused', error, retryInMs: 1000 })
  logQueueEvent(log, { type: 'resumed' })
  expect(lines).toEqual(['error', 'info'])
})
