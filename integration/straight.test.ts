import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import type { Agent } from './harness/agent.ts'
import { Bundle } from './harness/bundle.ts'
import { agentFor } from './harness/carrying.ts'
import { backtrace, promisedBytes } from './harness/core.ts'
import { FedComposer, noisyCore } from './harness/fed-composer.ts'
import { runToDeath } from './harness/host-victim.ts'
import { memoryCgroup } from './harness/memory-cgroup.ts'
import { TestNode } from './harness/node.ts'
import type { ObjectStore } from './harness/object-store.ts'
import { freePorts } from './harness/ports.ts'
import { realParts } from './harness/requirements.ts'
import { throttle } from './harness/throttle.ts'
import { until } from './harness/until.ts'
import { startVersitygw } from './harness/versitygw.ts'
import { victim } from './harness/victims.ts'

const MIB = 1 << 20
const CORE = noisyCore(40 * MIB)

async function expectWhole({ bundle }: { bundle: Bundle }): Promise<void> {
  expect(bundle.manifest.core).toMatchObject({ bytes: CORE.length, complete: true })
  expect(readFileSync(await bundle.extractCore()).equals(CORE)).toBe(true)
}

realParts('a bundle that goes straight to the store', () => {
  let store: ObjectStore

  beforeEach(async () => {
    store = await startVersitygw()
    return () => store.stop()
  })

  /** An agent that takes bundles straight, and lays down a composer that sends them so. */
  async function straightAgent(
    env: Readonly<Record<string, string>> = {},
    account = store,
  ): Promise<Agent> {
    const agent = agentFor(account, { STRAIGHT_TO_STORE: 'true', LOG_LEVEL: 'debug', ...env })
    await agent.start()
    await until('it listens', () => existsSync(join(agent.hostDir, 'straight')))
    return agent
  }

  /** The one object of the store, when nothing of it is left anywhere else. */
  async function delivered(agent: Agent): Promise<{ key: string; bundle: Bundle }> {
    const told = (cause: unknown): never => {
      const path = join(agent.hostDir, 'composer.log')
      const log = existsSync(path) ? readFileSync(path, 'utf8') : ''
      throw new Error(
        `with the agent saying:\n${agent.output}\n${log}\n${agent.waiting.join(' ')}`,
        { cause },
      )
    }
    await until('an object is there', async () => (await store.keys()).length > 0, 70_000).catch(
      told,
    )
    await until('nothing is left on the node', () => agent.waiting.length === 0, 70_000).catch(told)
    const [key = '', ...others] = await store.keys()
    expect(others).toEqual([])
    // one that was given up is aborted beside the bundle's way by the disk
    await expect.poll(() => store.uploads(), { timeout: 10_000 }).toEqual([])
    const copy = join(agent.directory, 'copy.zip')
    await store.fetch(key, copy)
    const bundle = await Bundle.open(copy)
    await bundle.test()
    return { key, bundle }
  }

  /** Feeds `bytes` and waits until the store has confirmed a part. */
  async function feedIntoStore(composer: FedComposer, bytes: number): Promise<void> {
    await composer.feed(CORE.subarray(0, bytes))
    await until('an upload is under way', async () => (await store.uploads()).length > 0)
    await sleep(500)
  }

  test.for([1.5 * MIB, 40 * MIB])(
    'is there when its composer ends, %d bytes, and never was on the disk',
    async (bytes) => {
      const port = await freePorts()
      const agent = await straightAgent({ HEALTH_PORT: String(port) })
      const composer = new FedComposer(agent)
      const core = bytes === CORE.length ? CORE : noisyCore(bytes)
      await composer.feed(core)

      const { exit, path } = await composer.end()

      expect(exit).toBe(0)
      expect(await store.keys()).toEqual([basename(path)])
      const { bundle, key } = await delivered(agent)
      expect(path).toBe(`s3://${store.bucket}/${key}`)
      const { core: told, delivery, uuid } = bundle.manifest
      expect(told).toMatchObject({ bytes, complete: true })
      expect(delivery).toEqual({ way: 'straight' })
      expect(key).toBe(`${uuid}-dump-1700000000--web-1-11.zip`)
      expect(readFileSync(await bundle.extractCore()).equals(core)).toBe(true)
      const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
      expect(metrics).toMatch(/core_dump_crashes_total\{outcome="complete",[^}]*\} 1\n/)
      expect(metrics).toMatch(/core_dump_uploads_total 1\n/)
      expect(metrics).toContain('core_dump_straight_total{outcome="stored"} 1')
    },
  )

  test('goes by the disk while another is sent, and both arrive', async () => {
    const agent = await straightAgent()
    const first = new FedComposer(agent)
    await feedIntoStore(first, 12 * MIB)
    const second = new FedComposer(agent)
    await second.feed(noisyCore(2 * MIB))

    const { path } = await second.end()
    expect(path).toMatch(/^\/.*\.zip$/)
    await first.feed(CORE.subarray(12 * MIB))
    expect((await first.end()).path).toMatch(/^s3:/)

    await until('both are there', async () => (await store.keys()).length === 2)
    await until('nothing is left', () => agent.waiting.length === 0)
  })

  test('goes by the disk when the store is down from the start', async () => {
    const agent = await straightAgent()
    await store.down()
    const composer = new FedComposer(agent)
    await composer.feed(CORE)

    const { exit, path } = await composer.end()

    expect(exit).toBe(0)
    expect(path).toMatch(/^\/.*\.zip$/)
    await store.up()
    const found = await delivered(agent)
    expect(found.bundle.manifest.delivery?.way).toBe('disk')
    await expectWhole(found)
  })

  test('whose store dies in the middle is kept from there, and whole in the end', async () => {
    const agent = await straightAgent()
    const composer = new FedComposer(agent)
    await feedIntoStore(composer, 17 * MIB)
    await store.down()
    await composer.feed(CORE.subarray(17 * MIB))

    const { exit, path } = await composer.end()

    expect(exit).toBe(0)
    expect(path).toMatch(/\.zip\.rest$/)
    expect(agent.waiting).toEqual([basename(path)])
    await store.up()
    const found = await delivered(agent)
    expect(found.bundle.manifest.delivery?.way).toBe('straight-then-disk')
    await expectWhole(found)
  })

  test('does not hold the process for a store that is slow', async () => {
    const line = await throttle(store.endpoint, 3 * MIB)
    onTestFinished(() => line.close())
    const agent = await straightAgent(
      { COMP_STRAIGHT_HOLD_MS: '500' },
      { ...store, endpoint: line.url },
    )
    const composer = new FedComposer(agent)
    await composer.feed(CORE)
    const ended = composer.end()

    // 40 MiB take 13 s on that line
    expect(composer.releasedMs).toBeLessThan(5000)
    expect((await ended).exit).toBe(0)
    line.release()
    await expectWhole(await delivered(agent))
  })

  test('kill -9 of the agent: the composer keeps the rest, the next agent completes it', async () => {
    const agent = await straightAgent()
    const composer = new FedComposer(agent)
    await feedIntoStore(composer, 17 * MIB)
    await agent.daemon.stop('SIGKILL')
    await composer.feed(CORE.subarray(17 * MIB))

    const { exit, path } = await composer.end()

    expect(exit).toBe(0)
    expect(path).toMatch(/\.zip\.rest$/)
    await agent.start()
    await expectWhole(await delivered(agent))
  })

  test('kill -9 of the composer: what it had sent is ended, and says so', async () => {
    const agent = await straightAgent()
    const composer = new FedComposer(agent)
    await feedIntoStore(composer, 24 * MIB)
    await composer.kill()

    const { bundle } = await delivered(agent)

    const { core, problems } = bundle.manifest
    expect(core.complete).toBe(false)
    expect(core.bytes).toBeGreaterThan(16 * MIB)
    expect(problems.map(({ code }) => code)).toEqual(['COMPOSER_DIED'])
    const beginning = readFileSync(await bundle.extractCore())
    expect(beginning.equals(CORE.subarray(0, core.bytes))).toBe(true)
  })

  test('kill -9 of both, one after the other: the next agent ends what there is', async () => {
    const agent = await straightAgent()
    const composer = new FedComposer(agent)
    await feedIntoStore(composer, 17 * MIB)
    await agent.daemon.stop('SIGKILL')
    await composer.feed(CORE.subarray(17 * MIB, 30 * MIB))
    await sleep(500)
    await composer.kill()
    expect(agent.waiting.join()).toMatch(/\.zip\.part$/)

    await agent.start()
    const { bundle } = await delivered(agent)

    const { core } = bundle.manifest
    expect(core.bytes).toBeGreaterThan(24 * MIB)
    const beginning = readFileSync(await bundle.extractCore())
    expect(beginning.equals(CORE.subarray(0, core.bytes))).toBe(true)
  })

  test('SIGTERM of the agent in the middle loses nothing', async () => {
    const agent = await straightAgent()
    const composer = new FedComposer(agent)
    await feedIntoStore(composer, 17 * MIB)
    await agent.daemon.stop('SIGTERM')
    await composer.feed(CORE.subarray(17 * MIB))
    expect((await composer.end()).exit).toBe(0)
    await agent.start()
    await expectWhole(await delivered(agent))
  })

  test('whose beginning the store has dropped is not dropped here: a record says where its end is', async () => {
    const agent = await straightAgent()
    const composer = new FedComposer(agent)
    await feedIntoStore(composer, 17 * MIB)
    await agent.daemon.stop('SIGKILL')
    await composer.feed(CORE.subarray(17 * MIB))
    await composer.end()
    // as a lifecycle rule does
    await store.abortUploads()
    const [rest = ''] = agent.waiting

    await agent.start()

    await until('the record is there', async () => (await store.keys()).length === 2, 60_000)
    await until('nothing is left', () => agent.waiting.length === 0)
    const keys = await store.keys()
    expect(keys).toContain(rest.slice(1))
    const copy = join(agent.directory, 'record.zip')
    await store.fetch(keys.find((key) => key.endsWith('-lost.zip')) ?? '', copy)
    const { manifest } = await Bundle.open(copy)
    expect(manifest.core).toMatchObject({ bytes: 0, complete: false })
    expect(manifest.core.reason).toContain(rest.slice(1))
    expect(manifest.problems.map(({ code }) => code)).toEqual(['CORE_LOST_IN_STORE'])
  })

  test('is not asked for where bundles go to a directory: the agent says why', async () => {
    const agent = agentFor(store, { STRAIGHT_TO_STORE: 'true' })
    agent.set({ DESTINATION: `file:${join(agent.directory, 'out')}` })
    await agent.start()
    expect(agent.output).toContain('STRAIGHT_TO_STORE')
    expect(existsSync(join(agent.hostDir, 'straight'))).toBe(false)
    expect(readFileSync(join(agent.hostDir, '.env'), 'utf8')).toContain('STRAIGHT_TO_STORE=false\n')
  })

  test('of a real crash is there when its composer ends; the process is not known to the disk', async () => {
    const node = new TestNode({
      store,
      env: { STRAIGHT_TO_STORE: 'true', COMP_CORE_EVENTS: 'true' },
    })
    onTestFinished(() => node.dispose())

    const bundle = await node.prepared(async () => {
      await until('it listens', () => existsSync(join(node.agent.hostDir, 'straight')))
      const pid = await runToDeath(victim('crasher'), ['-m', '64'])
      return node.inbox.one(({ manifest }) => manifest.crash.hostPid === pid)
    })

    const { core, delivery, identity, problems, uuid } = bundle.manifest
    expect(delivery).toEqual({ way: 'straight' })
    expect(problems).toEqual([])
    expect(identity.status).toBe('host')
    const image = await bundle.extractCore()
    expect(core).toMatchObject({ bytes: await promisedBytes(image), complete: true })
    expect(await backtrace(victim('crasher'), image)).toMatch(/#0 .*crash_here/)
    expect(node.agent.waiting).toEqual([])
    expect(node.composerLog).toContain(`Wrote s3://${store.bucket}/${uuid}-dump-`)
    expect(node.agent.output).toContain('straight from its composer')
    expect(existsSync(join(node.agent.hostDir, 'straight'))).toBe(false)
    const events = readdirSync(join(node.agent.hostDir, 'events'))
    expect(events).toContain(`${uuid}-event.json`)
  })

  test('stays within the memory of composer and agent, as installed', async () => {
    const agent = await straightAgent({ COMP_STRAIGHT_HOLD_MS: '60000' })
    const cgroup = memoryCgroup(128)
    onTestFinished(() => cgroup.remove())
    onTestFinished(async () => void (await agent.daemon.stop()))
    cgroup.add(agent.daemon.pid)
    const composer = new FedComposer(agent)
    let mostKib = 0
    for (let at = 0; at < 6; at++) {
      await composer.feed(CORE)
      const status = readFileSync(`/proc/${composer.pid}/status`, 'utf8')
      mostKib = Math.max(mostKib, Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1]))
    }

    expect((await composer.end()).path).toMatch(/^s3:/)
    expect(mostKib).toBeLessThan(40 * 1024)
    expect(cgroup.kills()).toBe(0)
  })
})
