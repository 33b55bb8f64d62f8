import { createServer } from 'node:net'
import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { freePort, portOf } from '@core-dump-handler/testing/agent/free-port'
import { ORIGINAL, test } from '@core-dump-handler/testing/agent/scratch-node'

test('SIGTERM ends the agent at once, and crashes still become bundles [B30]', async ({ node }) => {
  for (const env of [{}, { USE_INOTIFY: 'false' }, { DESTINATION: '' }, { INTERVAL: '3600000' }]) {
    const agent = await node.daemon(env)
    const before = performance.now()
    expect(await agent.kill('SIGTERM')).toBe(0)
    expect(performance.now() - before).toBeLessThan(2000)
  }
  expect((await node.sysctls())[0]).toMatch(/^\|/)
})

test('with all triggers off the start logs that CORE_DIR is left to another program', async ({
  node,
}) => {
  const agent = await node.daemon({ USE_INOTIFY: 'false' })
  await agent.line(/CORE_DIR is left to another program/)
})

test('two agents on one node: the second waits until the first has ended [node-2]', async ({
  node,
}) => {
  const first = await node.daemon()
  for (const hostDir of [node.hostDir, join(node.dir, 'other')]) {
    const second = node.agent([], { HOST_DIR: hostDir })
    await second.line(/another agent is at work/)
    expect((await node.sysctls())[0]).toContain(`|${node.hostDir}/cdc`)
    expect(await second.kill('SIGTERM')).toBe(0)
  }
  const third = node.agent()
  await third.line(/another agent is at work/)
  await first.kill('SIGKILL')
  await third.line(/this node is prepared/)
})

test('a sysctl that another program changed is logged and restored [node-6, attack-11]', async ({
  node,
}) => {
  const agent = await node.daemon()
  const ours = await node.sysctls()
  await node.sysctl('kernel.core_pattern', '|/usr/share/apport/apport %p')
  expect(JSON.parse(await agent.line(/changed by another program/))).toMatchObject({
    sysctl: 'kernel.core_pattern',
    found: '|/usr/share/apport/apport %p',
    restored: true,
  })
  expect(await node.sysctls()).toEqual(ours)
})

test('a sysctl that another program changed is only logged with TAMPER=report [attack-11]', async ({
  node,
}) => {
  const agent = await node.daemon({ TAMPER: 'report' })
  await node.sysctl('kernel.core_pipe_limit', '4')
  expect(JSON.parse(await agent.line(/changed by another program/))).toMatchObject({
    sysctl: 'kernel.core_pipe_limit',
    found: '4',
    restored: false,
  })
  expect(await node.sysctl('kernel.core_pipe_limit')).toBe('4')
})

test('what a late preStop of version 9 deletes is installed again, and the backups are kept', async ({
  node,
}) => {
  const agent = await node.daemon()
  const ours = await node.sysctls()
  const files = await node.list()
  // what version 9 does when its pod stops, in its order
  for (const [name, key] of [
    ['core_pattern', 'kernel.core_pattern'],
    ['core_pipe_limit', 'kernel.core_pipe_limit'],
    ['suid_dumpable', 'fs.suid_dumpable'],
  ] as const) {
    await node.sysctl(key, await readFile(join(node.hostDir, `${name}.bak`), 'utf8'))
    await rm(join(node.hostDir, `${name}.bak`))
  }
  await rm(join(node.hostDir, 'cdc'))
  await rm(join(node.hostDir, '.env'))

  await agent.line(/another program deleted files of this agent/)
  await expect.poll(async () => node.list(), { timeout: 15_000 }).toEqual(files)
  await expect.poll(async () => node.sysctls(), { timeout: 15_000 }).toEqual(ours)
  await agent.kill('SIGTERM')
  expect(await node.agent(['remove']).ended).toBe(0)
  expect(await node.sysctls()).toEqual(ORIGINAL)
})

test('`remove` beside a running agent does not count as a change by another program', async ({
  node,
}) => {
  const port = await freePort()
  const agent = await node.daemon({ HEALTH_PORT: String(port), USE_INOTIFY: 'false' })
  expect(await node.agent(['remove']).ended).toBe(0)
  await agent.line(/`remove` has restored this node/)
  expect(await node.sysctls()).toEqual(ORIGINAL)
  expect(agent.output()).not.toContain('changed by another program')
  // and another agent can lock the node
  await node.daemon({ HOST_DIR: join(node.dir, 'other') })
  const ready = await fetch(`http://127.0.0.1:${port}/readyz`)
  expect([ready.status, await ready.text()]).toEqual([
    503,
    expect.stringContaining('has restored this node'),
  ])
})

test('an unusable destination is reported by the readiness', async ({ node }) => {
  const port = await freePort()
  const agent = await node.daemon({ HEALTH_PORT: String(port), DESTINATION: 's3://b' })
  await agent.line(/the destination cannot be used/)
  const ready = await fetch(`http://127.0.0.1:${port}/readyz`)
  expect([ready.status, await ready.text()]).toEqual([
    503,
    expect.stringContaining('not ok destination: `s3://b` is no destination'),
  ])
})

test('the agent serves its health, readiness and metrics', async ({ node }) => {
  const port = await freePort()
  const agent = await node.daemon({ HEALTH_PORT: String(port), USE_INOTIFY: 'false' })
  await agent.line(/health checks and metrics are served/)
  const get = async (path: string): Promise<[number, string]> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    return [response.status, await response.text()]
  }
  expect(await get('/healthz')).toEqual([200, 'ok\n'])
  expect(await get('/readyz')).toEqual([200, 'ok node: crashes become bundles\n'])
  expect((await get('/nothing'))[0]).toBe(404)

  const ours = await node.sysctl('kernel.core_pattern')
  await node.sysctl('kernel.core_pattern', '|/other/cdc x')
  await agent.line(/"restored":false/)
  expect((await get('/readyz'))[0]).toBe(503)
  const [status, metrics] = await get('/metrics')
  expect(status).toBe(200)
  expect(metrics).toContain('core_dump_sysctl_tampering_total{sysctl="kernel.core_pattern"} 1')
  expect(metrics).toContain('core_dump_node_ready 0')

  await node.sysctl('kernel.core_pattern', ours)
  await expect.poll(async () => (await get('/readyz'))[0], { timeout: 5000 }).toBe(200)
  expect(await agent.kill('SIGTERM')).toBe(0)
})

test('a health port in use is logged, and stops nothing', async ({ node }) => {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const port = portOf(server)
  const agent = await node.daemon({ HEALTH_PORT: String(port) })
  expect(agent.output()).toContain('EADDRINUSE')
  server.close()
})
