import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { storm } from '@core-dump-handler/testing/kernel/storm'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { freePorts } from '@core-dump-handler/testing/network/free-ports'
import { throttle } from '@core-dump-handler/testing/network/throttle'
import { StoreNode } from '@core-dump-handler/testing/receiver/store-node'
import { faultProxy } from '@core-dump-handler/testing/store/fault-proxy'
import { startVersitygw, type Versitygw } from '@core-dump-handler/testing/store/versitygw'
import { until } from '@core-dump-handler/testing/until'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { coreSockets } from './core-sockets.ts'

const MIB = 2 ** 20
const PART = 8 * MIB
/** Crashes a program with so much memory that does not compress; resolves with its pid when it has died. */
async function crash(mebibytes: number): Promise<number> {
  const args = ['-l', '0', '-m', String(mebibytes)]
  const child = spawn(testProgram('crasher'), args, { stdio: 'ignore' })
  await once(child, 'exit')
  return child.pid ?? 0
}

coreSockets('a core that goes to the store while it is read', () => {
  let store: Versitygw

  beforeEach(async () => {
    store = await startVersitygw()
    return () => store.stop()
  })

  test(
    'arrives whole, of 4 GiB on a node with 512 MiB [receiver-17]',
    { timeout: 300_000 },
    async () => {
      const node = new StoreNode(store, { diskMib: 512 })
      await node.agent.start()
      let pid = 0
      await node.during(async () => void (pid = await crash(4096)))
      const [manifest] = await node.stored(1)
      expect(manifest).toMatchObject({
        entry: 'socket',
        crash: { hostPid: pid },
        core: { complete: true },
      })
      expect(manifest?.core.bytes).toBeGreaterThan(4096 * MIB)
      expect(manifest?.core.storedBytes).toBeGreaterThan(4096 * MIB)
      expect(manifest?.core.bytes).toBe(manifest?.core.expectedBytes)
      const { peak } = node.receiver.memory()
      process.stderr.write(
        `4 GiB to the store: held ${manifest?.timings.heldMs} ms, RSS ${Math.round(peak)} MiB\n`,
      )
      expect(peak).toBeLessThanOrEqual(160)
    },
  )

  test('of each of 32 crashes at once arrives, on a disk for a few of them, within the memory of a receiver [receiver-17]', async () => {
    const node = new StoreNode(store, { diskMib: 256 })
    await node.agent.start()
    await node.during(async () => {
      const { hostDir } = node.agent
      await storm({ directory: node.agent.directory, hostDir, crashes: 32, mebibytes: 48 })
    })
    const manifests = await node.stored(32)
    const { peak } = node.receiver.memory()
    process.stderr.write(`32x48 to the store: RSS ${Math.round(peak)} MiB\n`)
    expect(manifests.filter(({ core }) => !core.complete)).toEqual([])
    expect(peak).toBeLessThanOrEqual(160)
  })

  test('stays on the disk where that can hold it', async () => {
    const node = new StoreNode(store, { diskMib: 512 })
    await node.during(async () => void (await crash(200)))
    const { manifest } = await node.published()
    expect(manifest?.core.complete).toBe(true)
    expect(node.usedBytes).toBeGreaterThan(200 * MIB)
    expect(await store.uploads()).toEqual([])
  })

  test('arrives whole where less than MIN_FREE_BYTES is free [receiver-17]', async () => {
    const env = { MIN_FREE_BYTES: String(1024 * MIB) }
    const node = new StoreNode(store, { diskMib: 128, env })
    await node.agent.start()
    await node.during(async () => {
      const died = crash(300)
      await node.freed()
      expect(node.usedBytes).toBeLessThan(40 * MIB)
      await died
    })
    const [manifest] = await node.stored(1)
    expect(manifest?.core).toMatchObject({ complete: true })
  })

  test('with `always` leaves the disk at once, however large that is, and is counted once', async () => {
    const node = new StoreNode(store, { diskMib: 1024, env: { STRAIGHT_TO_STORE: 'always' } })
    const port = await freePorts()
    node.agent.set({ HEALTH_PORT: String(port) })
    await node.during(async () => {
      const died = crash(400)
      await node.freed()
      await died
      await node.published()
    })
    await node.agent.start()
    const [manifest] = await node.stored(1)
    expect(manifest?.core).toMatchObject({ complete: true })
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    expect(metrics).toMatch(/^core_dump_crashes_total\{outcome="complete",[^}]*\} 1$/m)
    expect(metrics).toMatch(/^core_dump_fingerprint_crashes_total\{[^}]*\} 1$/m)
    expect(metrics).toMatch(/^core_dump_uploads_total 1$/m)
    expect(node.agent.output).toMatch(/"parts":5\d,"keptParts":[1-9]/)
  })

  test('waits on the disk for a slow store [receiver-18]', async () => {
    const line = await throttle(store.endpoint, 64 * MIB)
    onTestFinished(() => line.close())
    const node = new StoreNode(store, { diskMib: 160, endpoint: line.url })
    await node.during(async () => {
      const died = crash(400)
      await until('the disk has filled up to the reserve', () => node.usedBytes > 70 * MIB)
      await node.freed()
      line.release()
      await died
    })
    await node.agent.start()
    const [manifest] = await node.stored(1)
    expect(manifest?.core).toMatchObject({ complete: true })
    expect(manifest?.problems).toEqual([])
  })

  test('of two crashes at once arrives whole twice [receiver-17]', async () => {
    const node = new StoreNode(store, { diskMib: 128 })
    await node.agent.start()
    await node.during(async () => void (await Promise.all([crash(200), crash(250)])))
    const manifests = await node.stored(2)
    expect(manifests.map(({ core }) => core.complete)).toEqual([true, true])
  })

  test.for([
    ['refuses', { S3_SECRET: 'wrong-secret' }, /SignatureDoesNotMatch/],
    ['is down', { S3_ENDPOINT: 'http://127.0.0.1:9' }, /ECONNREFUSED/],
  ] as const)(
    'is cut with the reason where the disk is full and the store %s [receiver-18]',
    async ([, env, why]) => {
      const node = new StoreNode(store, { diskMib: 160, env: { ...env, TIMEOUT: '3' } })
      await node.during(async () => void (await crash(400)))
      const { path, manifest } = await node.published()
      expect(manifest?.core).toMatchObject({ complete: false, reasonCode: 'TIMEOUT' })
      expect(manifest?.problems).toContainEqual({
        code: 'STORE_UPLOAD',
        message: expect.stringMatching(why),
      })
      expect(manifest?.core.bytes).toBeGreaterThan(50 * MIB)
      expect(manifest?.timings.heldMs).toBeLessThan(10_000)
      execFileSync('unzip', ['-tq', path])
      expect(JSON.stringify(manifest) + node.receiver.output).not.toContain('wrong-secret')
      await node.agent.start()
      const [stored] = await node.stored(1)
      expect(stored?.uuid).toBe(manifest?.uuid)
    },
  )

  test('is published as far as it was read at a SIGTERM while the store stalls [receiver-19]', async () => {
    const proxy = await faultProxy(store.endpoint)
    onTestFinished(() => proxy.close())
    proxy.inject({ on: 'UploadPart', kind: 'hang', times: 2, after: 3 })
    const node = new StoreNode(store, { diskMib: 160, endpoint: proxy.url })
    await node.during(async () => {
      const died = crash(400)
      await node.freed()
      await sleep(500)
      const stopping = performance.now()
      await node.receiver.daemon.stop('SIGTERM', 30_000)
      expect(performance.now() - stopping).toBeLessThan(25_000)
      await died
    })
    const { manifest } = await node.published()
    expect(manifest?.core).toMatchObject({ complete: false, reasonCode: 'INTERRUPTED' })
    expect(manifest?.problems).toContainEqual(expect.objectContaining({ code: 'INTERRUPTED' }))
    await node.agent.start()
    const [stored] = await node.stored(1)
    expect(stored?.core).toEqual(manifest?.core)
    expect(stored?.core.bytes).toBeGreaterThan(50 * MIB)
  })

  test('leaves its beginning, the reason and no upload when the receiver is killed in the middle [receiver-20]', async () => {
    const line = await throttle(store.endpoint, 32 * MIB)
    onTestFinished(() => line.close())
    const node = new StoreNode(store, { diskMib: 160, endpoint: line.url })
    await node.during(async () => {
      const died = crash(400)
      await node.freed()
      node.receiver.kill()
      await died
    })
    expect(await store.uploads()).toHaveLength(1)
    await node.agent.start()
    const [manifest] = await node.stored(1)
    expect(manifest?.core).toMatchObject({ complete: false, reasonCode: 'COMPOSER_DIED' })
    expect(manifest?.core.bytes).toBeGreaterThan(7 * MIB)
    expect(manifest?.core.storedBytes).toBeLessThanOrEqual(PART)
    expect(manifest?.core.expectedBytes).toBeGreaterThan(400 * MIB)
  })

  test('is completed when all are killed before Complete, and after it [receiver-21]', async () => {
    const proxy = await faultProxy(store.endpoint)
    onTestFinished(() => proxy.close())
    const node = new StoreNode(store, { diskMib: 160, endpoint: proxy.url })
    await node.during(async () => {
      await crash(400)
      await node.published()
      node.receiver.kill()
    })
    for (const kind of ['hang', 'lost-answer'] as const) {
      proxy.inject({ on: 'CompleteMultipartUpload', kind, times: 1 })
      const before = proxy.count('CompleteMultipartUpload')
      await node.agent.start()
      await until('Complete', () => proxy.count('CompleteMultipartUpload') > before)
      if (kind === 'lost-answer') await until('the object', async () => (await store.keys()).length)
      await node.agent.daemon.stop('SIGKILL')
    }
    await node.agent.start()
    const [manifest] = await node.stored(1)
    expect(manifest?.core).toMatchObject({ complete: true })
  })

  test('becomes a record where its upload was aborted [receiver-22]', async () => {
    const node = new StoreNode(store, { diskMib: 160 })
    await node.during(async () => {
      await crash(400)
      await node.published()
    })
    const { manifest } = await node.published()
    await store.abortUploads()
    await node.agent.start()
    const [record] = await node.stored(1)
    expect(record?.core).toMatchObject({ bytes: 0, complete: false, reasonCode: 'UPLOAD_LOST' })
    expect(record?.crash).toEqual(manifest?.crash)
    expect(record?.identity).toEqual(manifest?.identity)
  })
})
