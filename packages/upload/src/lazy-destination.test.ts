import { expect, test } from 'vitest'
import { type Destination, openDestination, UploadError } from './index.ts'
import { LazyDestination } from './lazy-destination.ts'

test('a program that cannot be loaded is no fault of the file, and is loaded another time', async () => {
  let loads = 0
  const lazy = new LazyDestination('s3://b/', async (): Promise<Destination> => {
    if (++loads === 1) throw Object.assign(new Error('too many open files'), { code: 'EMFILE' })
    return openDestination('file:/tmp')
  })
  await expect(lazy.check()).rejects.toMatchObject({
    name: 'UploadError',
    code: 'UNREACHABLE',
    retryable: true,
    scope: 'destination',
    message: expect.stringContaining('too many open files'),
  })
  await lazy.check()
  expect(loads).toBe(2)
})

test('closing one that could not be loaded does not fail, and a refusal keeps its own words', async () => {
  const refusal = new UploadError('TLS', 'no CA file')
  const lazy = new LazyDestination('s3://b/', async () => Promise.reject(refusal))
  const attempt = lazy.check()
  await lazy.close()
  await expect(attempt).rejects.toBe(refusal)
})
