import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { freePort, portOf } from '@core-dump-handler/testing/agent/free-port'
import { type ScratchNode, test } from '@core-dump-handler/testing/agent/scratch-node'
import { expect } from 'vitest'
import { msUntilNextTick } from './upload-bundles.ts'

/** As the composer does it: whole at once. */
async function putBundle(node: ScratchNode, name: string, content = name): Promise<void> {
  const part = join(node.coreDir, `.${name}.part`)
  await writeFile(part, content)
  await rename(part, join(node.coreDir, name))
}

const waiting = async (node: ScratchNode): Promise<string[]> => node.list(node.coreDir)

test('waiting and new bundles are uploaded, other files stay', async ({ node }) => {
  await putBundle(node, 'old.zip')
  await writeFile(join(node.coreDir, 'README'), '')
  await writeFile(join(node.coreDir, '.x.zip.part'), '')
  await mkdir(join(node.coreDir, 'd.zip'))
  await symlink('/etc/passwd', join(node.coreDir, 'link.zip'))
  const agent = await node.daemon()
  await putBundle(node, 'new.zip', 'n'.repeat(100_000))

  const others = ['.x.zip.part', 'README', 'd.zip', 'link.zip']
  await expect.poll(async () => waiting(node), { timeout: 10_000 }).toEqual(others)
  expect(await node.list(node.destination)).toEqual(['new.zip', 'old.zip'])
  expect(await readFile(join(node.destination, 'new.zip'), 'utf8')).toBe('n'.repeat(100_000))
  expect(JSON.parse(await agent.line(/"file":"old.zip"/))).toMatchObject({
    level: 'info',
    bytes: 7,
    msg: 'stored and verified, local bundle deleted',
  })
})

test('bundles that are written during the first sweep are uploaded too [B16]', async ({ node }) => {
  for (let n = 0; n < 30; n++) await putBundle(node, `before-${n}.zip`)
  const agent = node.agent()
  for (let n = 0; n < 30; n++) await putBundle(node, `during-${n}.zip`)
  await agent.line(/uploading bundles/)
  for (let n = 0; n < 30; n++) await putBundle(node, `after-${n}.zip`)
  await expect.poll(async () => waiting(node), { timeout: 15_000 }).toEqual([])
  expect(await node.list(node.destination)).toHaveLength(90)
})

test.for([{ INTERVAL: '1000' }, { SCHEDULE: '* * * * * *' }])(
  'with %j a bundle is uploaded at the start, and at a tick',
  async (env, { node }) => {
    await putBundle(node, 'first.zip')
    await node.daemon(env)
    await expect.poll(async () => waiting(node), { timeout: 10_000 }).toEqual([])
    await putBundle(node, 'second.zip')
    await expect.poll(async () => waiting(node), { timeout: 10_000 }).toEqual([])
  },
)

test('a broken destination loses nothing: the bundle waits, and is uploaded once it works', async ({
  node,
}) => {
  await rm(node.destination, { recursive: true })
  await writeFile(node.destination, 'a file where a directory should be')
  const agent = await node.daemon()
  await putBundle(node, 'a.zip')
  await agent.line(/upload failed, the bundle is kept/)
  expect(await waiting(node)).toEqual(['a.zip'])

  await rm(node.destination)
  await mkdir(node.destination)
  await agent.kill('SIGTERM')
  await node.daemon()
  await expect.poll(async () => waiting(node), { timeout: 15_000 }).toEqual([])
  expect(await node.list(node.destination)).toEqual(['a.zip'])
})

test('B30: SIGTERM in the middle of an upload ends in time and keeps the bundle', async ({
  node,
}) => {
  // a store that takes the connection and never answers
  const store = createServer(() => undefined).listen(0, '127.0.0.1')
  await once(store, 'listening')
  const port = portOf(store)
  await putBundle(node, 'a.zip', 'x'.repeat(20_000_000))
  const env = {
    DESTINATION: 's3://cores',
    S3_ENDPOINT: `http://127.0.0.1:${port}`,
    S3_ACCESS_KEY: 'access-key',
    S3_SECRET: 'secret-key',
  }
  const connected = once(store, 'connection')
  const agent = await node.daemon(env)
  await connected

  const before = performance.now()
  expect(await agent.kill('SIGTERM')).toBe(0)
  expect(performance.now() - before).toBeLessThan(2000)
  expect(await waiting(node)).toContain('a.zip')
  store.close()
})

test('a bundle of a composer is uploaded and counted', async ({ node }) => {
  const port = await freePort()
  const agent = await node.daemon({ COMP_IGNORE_CRIO: 'true', HEALTH_PORT: String(port) })
  await putBundle(node, 'no-zip.zip')
  const composer = spawn(join(node.hostDir, 'cdc'), ['-e=crasher', '-p=1', '-s=11', '-t=1'], {
    env: {},
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  composer.stdin.end(Buffer.alloc(100_000, 'core'))
  expect((await once(composer, 'close'))[0]).toBe(0)
  await agent.line(/stored and verified.*|crasher-1-11.zip/)
  await expect.poll(async () => node.list(node.coreDir), { timeout: 10_000 }).toEqual([])
  expect(await node.list(node.destination)).toEqual([
    expect.stringMatching(/crasher-1-11\.zip$/),
    'no-zip.zip',
  ])

  const metrics = async (): Promise<string> =>
    (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  await expect
    .poll(metrics, { timeout: 5000 })
    .toMatch(/core_dump_crashes_total\{outcome="unreadable",[^}]*\} 1/)
  const text = await metrics()
  expect(text).toMatch(/core_dump_crashes_total\{outcome="complete",reason="",identity="\w+"\} 1/)
  expect(text).toContain('core_dump_core_bytes_total 100000')
  expect(text).toContain('core_dump_held_seconds_count 1')
  expect(text).toContain('core_dump_uploads_total 2')
  expect(text).toContain('core_dump_queue_bundles 0')
  expect(text).toContain('core_dump_destination_ready 1')
})

test.for([7000, 45_000, 90_000, 3_600_000])(
  'B15: an interval of %d ms ticks with equal gaps, however long each tick takes',
  (intervalMs) => {
    const start = 1_234_567
    const ticks: number[] = []
    for (let now = start, n = 0; n < 200; n++) {
      now += msUntilNextTick(start, intervalMs, now)
      ticks.push(now)
      now += (n * 37) % 1000 // the work of the tick
    }
    const gaps = new Set(ticks.map((tick, index) => tick - (ticks[index - 1] ?? start)))
    expect(gaps).toEqual(new Set([intervalMs]))
  },
)

test('missed ticks are not repeated [B15]', () => {
  expect(msUntilNextTick(0, 1000, 10_250)).toBe(750)
})

test('a clock set back costs one interval at most [agent-22]', () => {
  expect(msUntilNextTick(50_000, 1000, 0)).toBe(1000)
})
