import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFile,
  mkdir,
  readFile,
  readdir,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, vi } from 'vitest'
import { UploadError, UploadQueue, openDestination } from '../index.ts'
import type { Destination, QueueEvent, QueueOptions, RunOptions, Stored } from '../index.ts'
import { randomFile } from '@core-dump-handler/testing/random-file'
import { test as base } from '@core-dump-handler/testing/scratch'

interface Fixtures {
  spool: string
  out: string
  events: QueueEvent[]
  /** A queue from `spool` to `out`, running until the test is over. */
  start: (options?: QueueOptions, run?: Partial<RunOptions>, to?: Destination) => UploadQueue
}

const it = base.extend<Fixtures>({
  spool: async ({ dir }, use) => {
    await mkdir(join(dir, 'spool'))
    await use(join(dir, 'spool'))
  },
  out: async ({ dir }, use) => use(join(dir, 'out')),
  // oxlint-disable-next-line no-empty-pattern -- vitest reads the parameter list
  events: async ({}, use) => use([]),
  start: async ({ spool, out, events }, use) => {
    const stop = new AbortController()
    const running: Promise<void>[] = []
    await use((options, run, to = openDestination(pathToFileURL(out).href)) => {
      const onEvent = (event: QueueEvent): void => void events.push(event)
      const queue = new UploadQueue(spool, to, { minDelayMs: 20, onEvent, ...options })
      running.push(queue.run({ signal: stop.signal, ...run }))
      return queue
    })
    stop.abort()
    await Promise.all(running)
  },
})

/** A destination that stores in memory and fails as `fail` decides. */
function scripted(
  fail: (key: string, attempt: number) => UploadError | undefined,
): Destination & { stored: string[] } {
  const attempts = new Map<string, number>()
  const stored: string[] = []
  return {
    url: 'test:',
    stored,
    async put(_file, key): Promise<Stored> {
      const attempt = (attempts.get(key) ?? 0) + 1
      attempts.set(key, attempt)
      await sleep(1)
      const error = fail(key, attempt)
      if (error) throw error
      stored.push(key)
      return { url: `test:${key}`, key, bytes: 0, outcome: 'stored', parts: 0, keptParts: 0 }
    },
    putGrowing: () => Promise.reject(new Error('not used')),
    putStream: () => Promise.reject(new Error('not used')),
    check: async () => {},
    abandon: async () => {},
    close: async () => {},
  }
}

const empty = (directory: string): Promise<void> =>
  vi.waitFor(async () => expect(await readdir(directory)).toEqual([]), 10_000)

describe('UploadQueue', () => {
  it('uploads finished bundles and leaves everything else in place [agent-25]', async ({
    dir,
    spool,
    out,
    start,
  }) => {
    await writeFile(join(dir, 'secret'), 'not a bundle')
    await symlink(join(dir, 'secret'), join(spool, 'link.zip'))
    await mkdir(join(spool, 'dir.zip'))
    await promisify(execFile)('mkfifo', [join(spool, 'fifo.zip')])
    for (const name of ['README', '.x.zip.part', '.hidden.zip', 'x.zip.part', 'x.ZIP']) {
      await writeFile(join(spool, name), name)
    }
    await writeFile(join(spool, 'dir.zip/inner.zip'), 'inner')
    const before = await readdir(spool)
    for (const name of ['a.zip', 'b c.zip', '[x]{y}*.zip', '-rf.zip']) {
      await writeFile(join(spool, name), name)
    }

    start()

    await vi.waitFor(async () =>
      expect((await readdir(spool)).toSorted()).toEqual(before.toSorted()),
    )
    const arrived = (await readdir(out)).toSorted()
    expect(arrived).toEqual(['-rf.zip', '[x]{y}*.zip', 'a.zip', 'b c.zip'])
  })

  it('percent-encodes control characters of a name in the key [attack-5]', async ({
    spool,
    out,
    start,
  }) => {
    await writeFile(join(spool, 'a\nERROR forged\u001b[2J.zip'), 'x')

    start()

    await empty(spool)
    expect(await readdir(out)).toEqual(['a%0AERROR forged%1B[2J.zip'])
  })

  it('reports a name that is not UTF-8 and uploads the other files', async ({
    spool,
    events,
    start,
  }) => {
    const path = Buffer.concat([
      Buffer.from(`${spool}/`),
      Buffer.from([0x61, 0xff]),
      Buffer.from('.zip'),
    ])
    await writeFile(path, 'x')
    await writeFile(join(spool, 'b.zip'), 'x')

    start()

    await vi.waitFor(() => expect(events.map(({ type }) => type)).toContain('stored'))
    await vi.waitFor(() => {
      const failed = events.find((event) => event.type === 'failed')
      expect(failed?.error).toMatchObject({ code: 'INVALID', retryable: false })
      expect(failed?.error.message).toMatch(/rename/)
    })
    await rm(path)
  })

  it('uploads a file as soon as it is renamed into the directory', async ({
    dir,
    spool,
    events,
    start,
  }) => {
    start({}, { rescanMs: Infinity })
    await sleep(200)
    const file = await randomFile(join(dir, 'x.zip'), 1000)

    await rename(file, join(spool, 'x.zip'))

    await empty(spool)
    await vi.waitFor(() => {
      const stored = events.find((event) => event.type === 'stored')
      expect(stored).toMatchObject({ deleted: true, stored: { key: 'x.zip', bytes: 1000 } })
    })
  })

  it('finds a file without a watch after wake(), or on the timer', async ({ spool, start }) => {
    const queue = start({}, { watch: false, rescanMs: Infinity })
    await sleep(100)
    await writeFile(join(spool, 'x.zip'), 'x')
    await sleep(200)
    expect(await readdir(spool)).toEqual(['x.zip'])

    queue.wake()

    await empty(spool)
    start({}, { watch: false, rescanMs: 100 })
    await writeFile(join(spool, 'y.zip'), 'y')
    await empty(spool)
  })

  it('watches a directory again that is created later or replaced [agent-20]', async ({
    spool,
    events,
    start,
  }) => {
    await rm(spool, { recursive: true })
    start({}, { rescanMs: 100 })
    await vi.waitFor(() =>
      expect(events).toContainEqual(expect.objectContaining({ code: 'DIRECTORY' })),
    )
    await mkdir(spool)
    await writeFile(join(spool, 'a.zip'), 'a')
    await empty(spool)
    await rename(spool, `${spool}-old`)
    await mkdir(spool)
    await writeFile(join(spool, 'b.zip'), 'b')
    await empty(spool)

    // once each time it is missing, not at every scan
    const warnings = events.filter(
      (event) => event.type === 'warning' && event.code === 'DIRECTORY',
    )
    expect(warnings.length).toBeLessThanOrEqual(2)
  })

  it('notices every change of a directory that it does not read again while it is unchanged', async ({
    spool,
    start,
  }) => {
    const down = new UploadError('UNREACHABLE', 'down')
    const options = { minDelayMs: 60_000 }
    const queue = start(
      options,
      { watch: false, rescanMs: 200 },
      scripted(() => down),
    )
    await writeFile(join(spool, 'a.zip'), 'x')
    // long enough to be taken for unchanged
    await sleep(3000)
    expect(queue.stats().files).toBe(1)
    await writeFile(join(spool, 'b.zip'), 'x')
    await vi.waitFor(() => expect(queue.stats().files).toBe(2))
    await sleep(3000)
    await rm(join(spool, 'a.zip'))
    await vi.waitFor(() => expect(queue.stats().files).toBe(1))
  })

  it('does not upload a file while its writer has an exclusive flock on it', async ({
    spool,
    out,
    events,
    start,
  }) => {
    const file = join(spool, 'x.zip')
    await writeFile(file, 'begin')
    // as IBM core-dump-handler 9 writes: in place, with an exclusive lock
    const writer = spawn(
      'flock',
      ['-x', file, 'sh', '-c', 'echo locked; read line; echo end >> "$0"', file],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    )
    await once(writer.stdout, 'data')

    start()
    await vi.waitFor(() =>
      expect(events).toContainEqual({ type: 'skipped', reason: 'locked', file }),
    )
    await sleep(200)
    expect(await readdir(spool)).toEqual(['x.zip'])
    writer.stdin.end('go\n')
    await once(writer, 'exit')

    await empty(spool)
    expect(await readFile(join(out, 'x.zip'), 'utf8')).toBe('beginend\n')
  })

  it('uploads the others before a deferred file, and after refresh() the file as it is then', async ({
    spool,
    out,
    events,
    start,
  }) => {
    for (const name of ['a.zip', 'b.zip', 'c.zip']) await writeFile(join(spool, name), name)
    const asked: number[] = []
    let isDeferred = true
    const queue = start({
      concurrency: 1,
      defer: ({ name, bytes }) => {
        if (name !== 'a.zip') return 0
        asked.push(bytes)
        return isDeferred ? 60_000 : 0
      },
    })
    await vi.waitFor(async () => expect(await readdir(spool)).toEqual(['a.zip']))
    expect((await readdir(out)).toSorted()).toEqual(['b.zip', 'c.zip'])
    expect(asked).toEqual([5])

    await writeFile(join(spool, '.better'), 'a better one')
    await rename(join(spool, '.better'), join(spool, 'a.zip'))
    isDeferred = false
    queue.refresh('a.zip')
    queue.refresh('absent.zip')
    await empty(spool)
    expect(asked.at(-1)).toBe(12)
    expect(events).toContainEqual({ type: 'started', file: join(spool, 'a.zip'), bytes: 12 })
  })

  it('uploads a deferred file when its time is over', async ({ spool, start }) => {
    await writeFile(join(spool, 'a.zip'), 'a')
    const until = performance.now() + 300
    start({ defer: () => Math.max(0, until - performance.now()) })
    await empty(spool)
    expect(performance.now()).toBeGreaterThanOrEqual(until)
  })

  it('uploads a deferred file after refresh() though its directory has not changed for long', async ({
    spool,
    start,
  }) => {
    await writeFile(join(spool, 'a.zip'), 'a')
    let isDeferred = true
    const queue = start({ defer: () => (isDeferred ? 60_000 : 0) }, { watch: false, rescanMs: 200 })
    await sleep(3000)
    isDeferred = false
    queue.refresh('a.zip')
    await empty(spool)
  })

  it('uploads only the new file when a file is replaced while its lock is requested [agent-32]', async ({
    dir,
    spool,
    out,
    events,
    start,
  }) => {
    const file = join(spool, 'x.zip')
    await writeFile(file, 'old')
    await writeFile(join(dir, 'new'), 'the new one')
    const flockPath = join(dir, 'flock')
    await writeFile(flockPath, `#!/bin/sh\n[ -e ${dir}/new ] && mv ${dir}/new ${file}\nexit 0\n`, {
      mode: 0o755,
    })
    start({ flockPath })
    await empty(spool)
    expect(await readdir(out)).toEqual(['x.zip'])
    expect(events.filter(({ type }) => type === 'stored').length).toBe(1)
    expect(events).toContainEqual({ type: 'started', file, bytes: 11 })
  })

  it('has a shared lock on a file while it uploads it', async ({ spool, start }) => {
    const file = await randomFile(join(spool, 'x.zip'), 10)
    const { promise, resolve } = Promise.withResolvers<void>()
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
    const to = scripted(() => undefined)
    const put = to.put.bind(to)
    to.put = async (...args) => {
      ask()
      await promise
      return put(...args)
    }
    start({}, {}, to)
    await asked

    const lock = promisify(execFile)('flock', ['-xn', file, 'true'])

    await expect(lock).rejects.toMatchObject({ code: 1 })
    resolve()
    await empty(spool)
  })

  it('starts no process to lock a zip that has its end record', async ({
    spool,
    events,
    start,
  }) => {
    await writeFile(join(spool, 'a.zip'), Buffer.from(`PK\x05\x06${'\0'.repeat(18)}`, 'latin1'))

    start({ flockPath: '/no/such/flock' })

    await empty(spool)
    expect(events.filter((event) => event.type === 'warning')).toEqual([])
  })

  it('uploads a new file before most of the old ones [agent-31]', async ({ spool, start }) => {
    for (let n = 10; n < 60; n++) {
      await writeFile(join(spool, `old-${n}.zip`), 'x')
      await utimes(join(spool, `old-${n}.zip`), n, n)
    }
    const arrived = Promise.withResolvers<void>()
    let sent = 0
    const to = scripted(() => undefined)
    const put = to.put.bind(to)
    to.put = async (...args) => {
      // the queue is busy with the old ones when it comes
      if (++sent === 11) {
        await writeFile(join(spool, 'new.zip'), 'x')
        queue.wake()
        await sleep(300)
        arrived.resolve()
      } else if (sent > 11) await arrived.promise
      return put(...args)
    }
    const queue = start({ concurrency: 1 }, { watch: false }, to)

    await empty(spool)

    expect(to.stored.indexOf('new.zip')).toBeGreaterThan(9)
    expect(to.stored.indexOf('new.zip')).toBeLessThan(14)
    // the old ones do not wait for ever either
    expect(to.stored.slice(0, 10)).toContain('old-10.zip')
  })

  it('reports once that there is no flock program, and uploads without locks', async ({
    spool,
    events,
    start,
  }) => {
    for (const name of ['a.zip', 'b.zip']) await writeFile(join(spool, name), name)

    start({ flockPath: '/no/such/flock' })

    await empty(spool)
    expect(events.filter((event) => event.type === 'warning')).toMatchObject([{ code: 'LOCK' }])
  })

  it('tries a file that fails again after ever longer waits, and uploads the others meanwhile [agent-23]', async ({
    spool,
    events,
    start,
  }) => {
    for (let i = 0; i < 20; i++) await writeFile(join(spool, `${i}.zip`), `${i}`)
    const to = scripted((key, attempt) =>
      key === '0.zip' && attempt < 4 ? new UploadError('MISMATCH', 'damaged') : undefined,
    )
    start({ concurrency: 1 }, {}, to)

    await empty(spool)
    expect(to.stored.at(-1)).toBe('0.zip')
    const delays = events.flatMap((event) =>
      event.type === 'failed' ? [event.retryInMs ?? 0] : [],
    )
    expect(delays).toHaveLength(3)
    for (const [i, delay] of delays.entries()) {
      expect(delay).toBeGreaterThanOrEqual(20 * 2 ** i * 0.75)
      expect(delay).toBeLessThanOrEqual(20 * 2 ** i * 1.25)
    }
  })

  it('waits the longest delay after a failure that needs a person', async ({
    spool,
    events,
    start,
  }) => {
    await writeFile(join(spool, 'x.zip'), 'x')
    const to = scripted(() => new UploadError('REFUSED', 'no'))
    const queue = start({ maxDelayMs: 60_000 }, {}, to)

    await vi.waitFor(() =>
      expect(events).toContainEqual(expect.objectContaining({ type: 'failed', retryInMs: 60_000 })),
    )
    expect(queue.stats()).toMatchObject({ files: 1, failing: 1, active: 0 })
  })

  it('D5: tries a file again soon after it was denied, and after ever longer waits', async ({
    spool,
    start,
  }) => {
    await writeFile(join(spool, 'x.zip'), 'x')
    const denied = new UploadError('DENIED', 'no', { httpStatus: 403, storeCode: 'AccessDenied' })
    const to = scripted((_, attempt) => (attempt < 5 ? denied : undefined))
    start({ maxDelayMs: 60_000 }, {}, to)
    await empty(spool)
  })

  it('D2: pauses when three files are denied, and uploads all of them afterwards', async ({
    spool,
    events,
    start,
  }) => {
    for (let i = 0; i < 100; i++) await writeFile(join(spool, `${i}.zip`), `${i}`)
    let isDenied = true
    let asked = 0
    const denied = new UploadError('DENIED', 'no', { httpStatus: 403, storeCode: 'AccessDenied' })
    const to = scripted(() => (asked++, isDenied ? denied : undefined))
    start({ minDelayMs: 50, maxDelayMs: 60_000 }, {}, to)
    await sleep(600)
    expect(asked).toBeLessThan(25)
    expect(events.filter(({ type }) => type === 'paused')).toHaveLength(1)

    isDenied = false

    await empty(spool)
    expect(events.filter(({ type }) => type === 'resumed')).toHaveLength(1)
  })

  it('D1: tries a new file at once while only one has failed', async ({ spool, start }) => {
    await writeFile(join(spool, 'poison.zip'), 'x')
    const to = scripted((key) =>
      key === 'poison.zip' ? new UploadError('UNREACHABLE', 'reset') : undefined,
    )
    const queue = start({ minDelayMs: 60_000 }, { rescanMs: 100 }, to)
    await vi.waitFor(() => expect(queue.stats()).toMatchObject({ paused: true }))
    await writeFile(join(spool, 'new.zip'), 'x')
    await vi.waitFor(() => expect(to.stored).toEqual(['new.zip']), 3000)
    await vi.waitFor(() => expect(queue.stats()).toMatchObject({ files: 1, paused: false }))
  })

  it('pauses while the destination is down, and uploads everything afterwards [agent-4]', async ({
    spool,
    events,
    start,
  }) => {
    for (let i = 0; i < 100; i++) await writeFile(join(spool, `${i}.zip`), `${i}`)
    let down = true
    let asked = 0
    const to = scripted(() => (asked++, down ? new UploadError('UNREACHABLE', 'down') : undefined))
    const queue = start({ concurrency: 4, minDelayMs: 50 }, {}, to)
    await sleep(600)
    const whileDown = asked
    expect(whileDown).toBeGreaterThan(2)
    expect(whileDown).toBeLessThan(15)
    expect(queue.stats()).toMatchObject({ files: 100, paused: true })

    down = false

    await empty(spool)
    expect(to.stored).toHaveLength(100)
    const nothing = { files: 0, bytes: 0, active: 0, failing: 0, paused: false }
    await vi.waitFor(() => expect(queue.stats()).toEqual(nothing))
    expect(events.filter(({ type }) => type === 'resumed')).toHaveLength(1)
  })

  it('uploads the other files when one file always breaks the connection', async ({
    spool,
    start,
  }) => {
    await writeFile(join(spool, 'poison.zip'), 'x')
    await utimes(join(spool, 'poison.zip'), 1, 1)
    for (let i = 0; i < 30; i++) await writeFile(join(spool, `${i}.zip`), `${i}`)
    const to = scripted((key) =>
      key === 'poison.zip' ? new UploadError('UNREACHABLE', 'reset') : undefined,
    )

    start({}, {}, to)

    await vi.waitFor(() => expect(to.stored).toHaveLength(30), 5000)
    expect(await readdir(spool)).toEqual(['poison.zip'])
  })

  it('does not delete a file that replaced the uploaded one, and uploads it too [agent-18, attack-6]', async ({
    dir,
    spool,
    events,
    start,
  }) => {
    const file = join(spool, 'x.zip')
    await writeFile(file, 'first')
    const other = join(dir, 'other')
    await writeFile(other, 'second')
    const to = scripted(() => undefined)
    const put = to.put.bind(to)
    let first = true
    to.put = async (...args) => {
      if (first) await rename(other, file)
      first = false
      return put(...args)
    }

    start({}, { rescanMs: Infinity }, to)

    await empty(spool)
    expect(to.stored).toEqual(['x.zip', 'x.zip'])
    await vi.waitFor(() => {
      const deleted = events.flatMap((event) => (event.type === 'stored' ? [event.deleted] : []))
      expect(deleted).toEqual([false, true])
    })
  })

  it('does not delete a file that was written to during its upload [agent-17]', async ({
    spool,
    start,
  }) => {
    const file = join(spool, 'x.zip')
    await writeFile(file, 'first')
    const to = scripted(() => undefined)
    const put = to.put.bind(to)
    let first = true
    to.put = async (...args) => {
      const stored = await put(...args)
      if (first) await appendFile(file, 'more')
      first = false
      return stored
    }

    start({}, {}, to)

    await empty(spool)
    expect(to.stored).toHaveLength(2)
  })

  it('reports no failure for a file that vanishes [B18]', async ({ spool, events, start }) => {
    const to = scripted(() => undefined)
    for (let i = 0; i < 50; i++) await writeFile(join(spool, `${i}.zip`), `${i}`)
    const put = to.put.bind(to)
    to.put = async (...args) => {
      for (const name of await readdir(spool)) await rm(join(spool, name), { force: true })
      return put(...args)
    }

    const queue = start({ concurrency: 1 }, {}, to)

    await vi.waitFor(() => expect(queue.stats()).toMatchObject({ files: 0, active: 0 }))
    await empty(spool)
    expect(events.filter(({ type }) => type === 'failed' || type === 'skipped')).toEqual([])
  })

  it('stops at once during a transfer and keeps the file', async ({ spool, out }) => {
    await writeFile(join(spool, 'x.zip'), 'x')
    const to = scripted(() => undefined)
    to.put = (_file, _key, { signal } = {}) =>
      new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(new UploadError('ABORTED', 'stopped')))
      })
    const events: QueueEvent[] = []
    const queue = new UploadQueue(spool, to, { onEvent: (event) => void events.push(event) })
    const stop = new AbortController()
    const running = queue.run({ signal: stop.signal })
    await vi.waitFor(() => expect(queue.stats().active).toBe(1))
    await expect(queue.run({ signal: stop.signal })).rejects.toMatchObject({ code: 'INVALID' })

    const at = performance.now()
    stop.abort()
    await running

    expect(performance.now() - at).toBeLessThan(500)
    expect(await readdir(spool)).toEqual(['x.zip'])
    expect(events.map(({ type }) => type)).toEqual(['started'])
    await new UploadQueue(spool, openDestination(pathToFileURL(out).href)).sweep()
    expect(await readdir(spool)).toEqual([])
  })

  it('sweep() tries each file once and returns the results', async ({ spool, out }) => {
    for (const name of ['a.zip', 'b.zip', 'c.zip']) await writeFile(join(spool, name), name)
    const to = scripted((key) => (key === 'b.zip' ? new UploadError('DENIED', 'no') : undefined))

    const result = await new UploadQueue(spool, to).sweep()

    expect(result).toMatchObject({ stored: 2, failed: 1, skipped: 0, untried: 0, bytes: 10 })
    expect(result.errors).toMatchObject([{ code: 'DENIED' }])
    expect(await readdir(spool)).toEqual(['b.zip'])
    const again = new UploadQueue(spool, openDestination(pathToFileURL(out).href))
    expect(await again.sweep()).toMatchObject({ stored: 1, failed: 0 })
    expect(await again.sweep()).toMatchObject({ stored: 0, failed: 0 })
  })

  it('sweep() rejects with GONE when the directory does not exist', async ({ dir, out }) => {
    const queue = new UploadQueue(join(dir, 'none'), openDestination(pathToFileURL(out).href))
    await expect(queue.sweep()).rejects.toMatchObject({ name: 'UploadError', code: 'GONE' })
    expect(() => new UploadQueue(dir, openDestination('file:/x'), { concurrency: 0 })).toThrow(
      expect.objectContaining({ code: 'INVALID' }),
    )
  })

  it('abandons the interrupted uploads of deleted files, once', async ({ spool, start }) => {
    const record = {
      token: 't',
      store: 's',
      key: 'k',
      uploadId: 'u',
      partBytes: 1,
      etagIsMd5: true,
    }
    const write = (name: string, file: string): Promise<void> =>
      writeFile(join(spool, name), JSON.stringify({ ...record, file }))
    await write('.gone.zip.upload.json', 'gone.zip')
    await write('.core.1.upload.json', 'core.1')
    await writeFile(join(spool, 'core.1'), 'sent by a sweep')
    await writeFile(join(spool, '.torn.zip.upload.json'), '{')
    await writeFile(join(spool, '.old.zip.upload.json.1234567'), '{')
    for (const name of ['.torn.zip.upload.json', '.old.zip.upload.json.1234567']) {
      await utimes(join(spool, name), 1, 1)
    }
    const abandoned: string[] = []
    const to = scripted(() => undefined)
    to.abandon = async (file) => {
      abandoned.push(file)
      await rm(join(spool, '.gone.zip.upload.json'))
    }

    start({}, { rescanMs: 100 }, to)

    await vi.waitFor(async () =>
      expect((await readdir(spool)).toSorted()).toEqual(['.core.1.upload.json', 'core.1']),
    )
    expect(abandoned).toEqual([join(spool, 'gone.zip')])
  })

  it('sweep() of given paths uploads only those', async ({ spool, out }) => {
    for (const name of ['a.zip', 'core.1', 'c.zip']) await writeFile(join(spool, name), name)
    const queue = new UploadQueue(spool, openDestination(pathToFileURL(out).href))

    const result = await queue.sweep({ files: [join(spool, 'core.1'), join(spool, 'gone.zip')] })

    expect(result).toMatchObject({ stored: 1, failed: 0, skipped: 1 })
    expect((await readdir(spool)).toSorted()).toEqual(['a.zip', 'c.zip'])
  })

  it('sweep() stops after some failures of the destination', async ({ spool }) => {
    for (let i = 0; i < 200; i++) await writeFile(join(spool, `${i}.zip`), `${i}`)
    const to = scripted(() => new UploadError('UNREACHABLE', 'down'))

    const result = await new UploadQueue(spool, to).sweep()

    expect(result.failed).toBeLessThan(10)
    expect(result.failed + result.untried).toBe(200)
    expect(await readdir(spool)).toHaveLength(200)
  })

  it(
    'uploads 20,000 waiting files after an outage',
    { timeout: 120_000 },
    async ({ spool, start }) => {
      const names = Array.from({ length: 20_000 }, (_, i) => `${i}.zip`)
      for (let i = 0; i < names.length; i += 500) {
        await Promise.all(names.slice(i, i + 500).map((name) => writeFile(join(spool, name), name)))
      }
      let down = true
      const to = scripted(() => (down ? new UploadError('UNREACHABLE', 'down') : undefined))
      const queue = start({ concurrency: 64, lock: 'off' }, { rescanMs: 200 }, to)
      await vi.waitFor(() => expect(queue.stats().files).toBe(20_000), 30_000)
      expect(queue.stats().bytes).toBeGreaterThan(20_000)

      down = false

      await vi.waitFor(() => expect(to.stored).toHaveLength(20_000), {
        timeout: 100_000,
        interval: 500,
      })
      await empty(spool)
    },
  )
})
