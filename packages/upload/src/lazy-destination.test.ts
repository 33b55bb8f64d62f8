import { describe, expect, it } from 'vitest'
import { UploadError, openDestination } from './index.ts'
import type { Destination } from './index.ts'
import { LazyDestination } from './lazy-destination.ts'

describe('LazyDestination', () => {
  it('rejects as UNREACHABLE when its modules cannot be loaded, and loads them at the next use', async () => {
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

  it('closes after a failure to load, and passes an UploadError on unchanged', async () => {
    const refusal = new UploadError('TLS', 'no CA file')
    const lazy = new LazyDestination('s3://b/', async () => Promise.reject(refusal))
    const attempt = lazy.check()
    await lazy.close()
    await expect(attempt).rejects.toBe(refusal)
  })
})
