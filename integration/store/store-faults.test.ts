import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { s3Settings } from '@core-dump-handler/testing/agent/agent'
import {
  agentFor,
  expectStored,
  leaveBundle,
} from '@core-dump-handler/testing/agent/uploading-agent'
import type { ObjectStore } from '@core-dump-handler/testing/store/object-store'
import { realParts } from '../real-parts.ts'
import { throttle } from '@core-dump-handler/testing/network/throttle'
import { until } from '@core-dump-handler/testing/until'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'

const MIB = 1 << 20

realParts('an agent whose store fails', () => {
  let store: ObjectStore

  beforeEach(async () => {
    store = await startVersitygw()
    return () => store.stop()
  })

  test('reports a wrong secret, loses nothing, and continues with the right one [store-5]', async () => {
    const agent = agentFor({ ...store, secret: 'not-the-secret' })
    const { name, content } = leaveBundle(agent, MIB)
    const sweep = await agent.command('sweep')
    expect(sweep.code).toBe(1)
    expect(sweep.output).toContain('SignatureDoesNotMatch')
    expect(sweep.output).not.toContain('not-the-secret')
    expect(agent.waiting).toContain(name)

    agent.set(s3Settings(store))
    expect(await agent.command('sweep')).toMatchObject({ code: 0 })
    await expectStored(store, name, content, agent)
  })

  test('reports a missing bucket and loses nothing [store-6]', async () => {
    const agent = agentFor(store, { S3_BUCKET_NAME: 'no-such-bucket' })
    const { name } = leaveBundle(agent, MIB)
    const sweep = await agent.command('sweep')
    expect(sweep.code).toBe(1)
    expect(sweep.output).toContain('NoSuchBucket')
    expect(sweep.output).toContain('no-such-bucket')
    expect(agent.waiting).toContain(name)
  })

  test('uploads once the store is up again [agent-4]', async () => {
    const agent = agentFor(store)
    await store.down()
    await agent.start()
    const { name, content } = leaveBundle(agent, 20 * MIB)
    await until('the failure is logged', () => agent.output.includes('ECONNREFUSED'))
    expect(agent.daemon.running()).toBe(true)
    expect(agent.waiting).toContain(name)
    await store.up()
    await expectStored(store, name, content, agent)
  })

  test('resumes after the sent parts when it was killed during an upload [agent-2]', async () => {
    const line = await throttle(store.endpoint, 24 * MIB)
    onTestFinished(() => line.close())
    const agent = agentFor({ ...store, endpoint: line.url })
    const { name, content } = leaveBundle(agent, 96 * MIB)
    const first = await agent.start()
    await until('a good part has been sent', () => line.sentBytes > 48 * MIB, 60_000)
    await first.stop('SIGKILL')
    expect(await store.keys()).toEqual([])
    expect(await store.uploads()).toHaveLength(1)

    const before = line.sentBytes
    line.release()
    await agent.start()
    await expectStored(store, name, content, agent)
    expect(line.sentBytes - before).toBeLessThan(content.length - 24 * MIB)
  })

  test('ends within 2 s on SIGTERM during an upload, and the next agent resumes [agent-3, B30]', async () => {
    const line = await throttle(store.endpoint, 24 * MIB)
    onTestFinished(() => line.close())
    const agent = agentFor({ ...store, endpoint: line.url })
    const { name, content } = leaveBundle(agent, 64 * MIB)
    const first = await agent.start()
    await until('a good part has been sent', () => line.sentBytes > 32 * MIB, 60_000)
    const stopping = performance.now()
    expect(await first.stop()).toBe(0)
    expect(performance.now() - stopping).toBeLessThan(2_000)
    expect(agent.waiting).toContain(name)

    const before = line.sentBytes
    line.release()
    await agent.start()
    await expectStored(store, name, content, agent)
    expect(line.sentBytes - before).toBeLessThan(content.length - 8 * MIB)
  })
})
