import { describe, expect, it } from 'vitest'
import { isUploadError, openDestination, UploadError } from './index.ts'
import type { Destination, DestinationOptions } from './index.ts'
import { LazyDestination } from './open-destination.ts'

describe('openDestination', () => {
  it.for([
    ['s3://bucket', 's3://bucket/'],
    // D16: what the schema of the chart lets through
    ['s3://b', 's3://b/'],
    ['s3://b/p', 's3://b/p/'],
    ['s3://bucket/', 's3://bucket/'],
    ['s3://my_old.bucket/a//b/', 's3://my_old.bucket/a/b/'],
    ['file:/tmp/x', 'file:/tmp/x'],
    ['file:///tmp/x%20y', 'file:///tmp/x%20y'],
  ] as const)('accepts %s', ([url, shown]) => {
    expect(openDestination(url).url).toBe(shown)
  })

  it.for([
    '',
    'bucket',
    's3://',
    's3://-b',
    's3://_',
    's3:/bucket',
    's3://bucket/../other',
    's3://bucket/a?versionId=1',
    's3://key:canary@bucket/x',
    'https://canary@bucket.example/x',
    'file:relative',
    'file://host/x',
    'file:/a%2Fb',
  ])('rejects %j', (url) => {
    const attempt = (): unknown => openDestination(url)
    expect(attempt).toThrow(expect.objectContaining({ name: 'UploadError', code: 'INVALID' }))
    expect(attempt).not.toThrow(/canary/)
  })

  it.for<DestinationOptions['s3']>([
    { partBytes: 5 * 1024 ** 2 - 1 },
    { partBytes: Number.NaN },
    { workers: 0 },
    { maxAttempts: 1.5 },
    { idleTimeoutMs: -1 },
    { endpoint: 'store.example:9000' },
    { endpoint: 'https://user:canary@store.example' },
    { credentials: { accessKeyId: 'x', secretAccessKey: '' } },
    { credentials: { accessKeyId: '', secretAccessKey: 'canary' } },
    { proxyEnv: { HTTPS_PROXY: 'user:canary@proxy.example' } },
    { proxyEnv: { http_proxy: 'socks5://canary@proxy.example' } },
    { tags: Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`k${i}`, 'v'])) },
  ])('rejects the setting %o', (s3 = {}) => {
    const attempt = (): unknown => openDestination('s3://bucket', { s3 })
    expect(attempt).toThrow(expect.objectContaining({ code: 'INVALID', retryable: false }))
    expect(attempt).not.toThrow(/canary/)
  })
})

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

describe('isUploadError', () => {
  it('accepts an error of another copy of this package', () => {
    expect(isUploadError(Object.assign(new Error('x'), { name: 'UploadError' }))).toBe(true)
    expect(isUploadError(new Error('x'))).toBe(false)
  })
})
