import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { Random } from '../fuzz/generate/random.ts'
import { Agent } from '@core-dump-handler/testing/agent/agent'
import {
  agentFor,
  expectStored,
  leaveBundle,
} from '@core-dump-handler/testing/agent/uploading-agent'
import { memoryCgroup } from '@core-dump-handler/testing/kernel/memory-cgroup'
import type { ObjectStore } from '@core-dump-handler/testing/store/object-store'
import { realParts } from '../real-parts.ts'
import { bundleMaker } from '@core-dump-handler/testing/bundle/small-bundle'
import { throttle } from '@core-dump-handler/testing/network/throttle'
import { until } from '@core-dump-handler/testing/until'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'

const MIB = 1 << 20
/** Of four events each: more than the kernel keeps for a watch, fs.inotify.max_queued_events. */
const MANY = 5_000
/** After a night without a store. */
const WAITING = 20_000

realParts('an agent under faults', () => {
  let store: ObjectStore

  beforeEach(async () => {
    store = await startVersitygw()
    return () => store.stop()
  })

  test('stores each bundle once when it is killed at random moments of its uploads [agent-1]', async () => {
    const random = new Random(20_261_123)
    const line = await throttle(store.endpoint, 24 * MIB)
    onTestFinished(() => line.close())
    const agent = agentFor({ ...store, endpoint: line.url })
    const bundles = [1000, 3 * MIB, 40 * MIB].map((bytes) => leaveBundle(agent, bytes))
    for (let kill = 0; kill < 8; kill++) {
      const daemon = await agent.start()
      await sleep(random.below(1_200))
      expect(await daemon.stop('SIGKILL')).toBe('SIGKILL')
    }
    line.release()
    await agent.start()
    const all = async (): Promise<boolean> => (await store.keys()).length >= bundles.length
    await until('all are there', all, 60_000)
    for (const { name, content } of bundles) await expectStored(store, name, content, agent)
    expect(await store.keys()).toHaveLength(bundles.length)
  })

  test('continues over a connection of 8 KiB/s [agent-5]', async () => {
    const line = await throttle(store.endpoint, 8 * 1024)
    onTestFinished(() => line.close())
    const agent = agentFor({ ...store, endpoint: line.url })
    const { name, content } = leaveBundle(agent, 6 * MIB)
    const daemon = await agent.start()
    await sleep(4_000)
    expect(daemon.running()).toBe(true)
    expect(agent.waiting).toContain(name)
    line.release()
    await expectStored(store, name, content, agent)
  })

  test('stores over a connection of 1 KiB/s, blocks no other bundle, and ends within 2 s [agent-6]', async () => {
    const line = await throttle(store.endpoint, 1024)
    onTestFinished(() => line.close())
    const agent = agentFor({ ...store, endpoint: line.url }, { USE_INOTIFY: 'true', INTERVAL: '' })
    const daemon = await agent.start()
    const large = leaveBundle(agent, 20 * 1024)
    await until('it is on its way', () => line.sentBytes > 8 * 1024)
    const small = leaveBundle(agent, 500)
    await expectStored(store, small.name, small.content, agent)
    expect(agent.waiting).toContain(large.name)
    await expectStored(store, large.name, large.content, agent)
    expect(agent.output).not.toContain('upload failed')

    const before = line.sentBytes
    const next = leaveBundle(agent, 20 * 1024)
    await until('the next is on its way', () => line.sentBytes > before + 8 * 1024)
    const stopping = performance.now()
    expect(await daemon.stop()).toBe(0)
    expect(performance.now() - stopping).toBeLessThan(2_000)
    expect(agent.waiting).toContain(next.name)
    line.release()
    await agent.start()
    await expectStored(store, next.name, next.content, agent)
  })

  test(`uploads all ${MANY} bundles that came while it was stopped [agent-21, B16]`, async () => {
    const agent = await agentOnTmpfs('size=512m', { USE_INOTIFY: 'true', LOG_LEVEL: 'warn' })
    const daemon = await agent.start()
    process.kill(daemon.pid, 'SIGSTOP')
    for (let index = 0; index < MANY; index++) {
      const part = join(agent.coreDir, `.${index}.zip.part`)
      writeFileSync(part, `bundle ${index}`)
      renameSync(part, join(agent.coreDir, `${index}.zip`))
    }
    process.kill(daemon.pid, 'SIGCONT')
    const isDone = (): boolean => agent.waiting.every((name) => !name.endsWith('.zip'))
    await until('all are uploaded', isDone, 100_000)
    const out = join(agent.coreDir, 'out')
    expect(readdirSync(out).filter((name) => name.endsWith('.zip'))).toHaveLength(MANY)
    expect(readFileSync(join(out, `${MANY - 1}.zip`), 'utf8')).toBe(`bundle ${MANY - 1}`)
  })

  test(`uploads ${WAITING} waiting bundles in 128 MiB, and a new crash before the last of them [agent-31]`, async () => {
    const agent = new Agent({ USE_INOTIFY: 'true', LOG_LEVEL: 'warn' }).spareKernel()
    onTestFinished(() => agent.dispose())
    const out = join(agent.directory, 'out')
    agent.set({ DESTINATION: `file:${out}` })
    const cgroup = memoryCgroup(128)
    onTestFinished(() => cgroup.remove())
    const leave = bundleMaker(agent.coreDir)
    for (let index = 0; index < WAITING; index++) await leave(`night-${index}`)

    const started = performance.now()
    const daemon = await agent.confine(cgroup).start()
    onTestFinished(async () => void (await daemon.stop()))
    const arrived = (): string[] => (existsSync(out) ? readdirSync(out) : [])
    await until('the first one arrives', () => arrived().length > 0)
    const firstMs = performance.now() - started
    await leave('now')
    await until('the new one arrives', () => arrived().includes('now.zip'))
    const before = arrived().length
    const isDone = (): boolean => agent.waiting.every((name) => !name.endsWith('.zip'))
    await until('all are uploaded', isDone, 200_000)
    expect(arrived().filter((name) => name.endsWith('.zip'))).toHaveLength(WAITING + 1)
    expect(firstMs).toBeLessThan(10_000)
    expect(before).toBeLessThan(WAITING / 4)
    expect(cgroup.kills()).toBe(0)
  }, 300_000)

  test('uploads a bundle of 256 MiB in 128 MiB of memory [agent-24, B6]', async () => {
    const agent = agentFor(store)
    const cgroup = memoryCgroup(128)
    onTestFinished(() => cgroup.remove())
    const daemon = await agent.start()
    onTestFinished(async () => void (await daemon.stop()))
    cgroup.add(daemon.pid)
    const { name, content } = leaveBundle(agent, 256 * MIB)
    await expectStored(store, name, content, agent)
    expect(daemon.running()).toBe(true)
    expect(cgroup.kills()).toBe(0)
  })

  test('reports a full disk of HOST_DIR and leaves the node’s settings [node-3]', async () => {
    const agent = new Agent({ UPLOAD: 'false' }).spareKernel()
    onTestFinished(() => agent.dispose())
    mkdirSync(agent.hostDir)
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', agent.hostDir])
    const daemon = agent.launch()
    await until('it says why', () => daemon.output().includes('ENOSPC'))
    const pattern = join(agent.directory, 'sysctl/kernel/core_pattern')
    expect(readFileSync(pattern, 'utf8')).toBe('core\n')
  })
})

/** An agent whose bundles and destination are in memory: no disk is waited for. */
async function agentOnTmpfs(options: string, env: Record<string, string>): Promise<Agent> {
  const agent = new Agent(env).spareKernel()
  onTestFinished(() => agent.dispose())
  await execa('mount', ['-t', 'tmpfs', '-o', options, 'none', agent.coreDir])
  agent.set({ DESTINATION: `file:${join(agent.coreDir, 'out')}` })
  return agent
}
