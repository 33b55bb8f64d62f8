import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fakeApiServer } from '@core-dump-handler/testing/agent/api-server'
import { ORIGINAL, type ScratchNode, test } from '@core-dump-handler/testing/agent/scratch-node'
import { expect } from 'vitest'
import { apiServer } from '../cluster/api-server.ts'
import { isUninstalling } from './remove.ts'

async function prepared(node: ScratchNode): Promise<void> {
  const agent = await node.daemon({ DEPLOY_CRIO_CONFIG: 'true' })
  await agent.kill('SIGTERM')
}

test('remove restores the sysctls as found, also repeatedly, with no, some and all files [B1]', async ({
  node,
}) => {
  expect(await node.agent(['remove']).ended, 'nothing was ever set up').toBe(0)
  await prepared(node)
  await writeFile(join(node.hostDir, 'composer.log'), '')
  await writeFile(join(node.hostDir, 'composer.log.1'), '')
  await writeFile(join(node.hostDir, 'composer.log.lock'), 'of a composer that was killed')
  await writeFile(join(node.hostDir, 'cdc.123456'), 'of a write that was killed')
  await mkdir(join(node.hostDir, 'rate'))
  await writeFile(join(node.hostDir, 'rate/of-a-composer'), '')
  await mkdir(join(node.hostDir, 'fingerprints'))
  await writeFile(join(node.hostDir, 'fingerprints/of-a-composer'), '')
  await writeFile(join(node.hostDir, 'of-another-program'), '')
  await mkdir(join(node.hostDir, 'events'))
  await writeFile(join(node.coreDir, 'a.zip'), 'waits')

  for (const _ of ['first', 'again']) {
    expect(await node.agent(['remove']).ended).toBe(0)
    expect(await node.sysctls()).toEqual(ORIGINAL)
    expect(await node.list()).toEqual(['events', 'of-another-program'])
    expect(await node.list(node.coreDir)).toEqual(['a.zip'])
  }
})

test('a failed step is named, the others are done, and another attempt finishes [B1]', async ({
  node,
}) => {
  await prepared(node)
  await mkdir(join(node.hostDir, 'composer.log')) // a directory where a file is expected

  const agent = node.agent(['remove'])
  expect(await agent.ended).toBe(1)
  expect(agent.output()).toMatch(/"failed":\["composer.log"\]/)
  expect(await node.sysctls()).toEqual(ORIGINAL)
  expect(await node.list()).toEqual(['composer.log'])
})

test('files of other programs stay, also under a name that could be ours', async ({ node }) => {
  const theirs = { crictl: 'of the node', 'crictl.yaml': 'runtime-endpoint: unix:///theirs\n' }
  await mkdir(node.hostDir)
  for (const [name, text] of Object.entries(theirs)) {
    await writeFile(join(node.hostDir, name), text, { mode: 0o755 })
  }
  await writeFile(join(node.dir, 'crictl'), 'of the image')
  const env = { DEPLOY_CRIO_CONFIG: 'true', DEPLOY_CRIO_EXE: 'true' }
  const agent = node.agent([], env, node.dir)
  await agent.line(/crictl.yaml.*a file of another program has this name: left/)
  await agent.line(/this node is prepared/)
  await agent.kill('SIGTERM')
  expect(await node.agent(['remove']).ended).toBe(0)
  expect(await node.list()).toEqual(['crictl', 'crictl.yaml'])
  for (const [name, text] of Object.entries(theirs)) {
    expect(await readFile(join(node.hostDir, name), 'utf8')).toBe(text)
  }
})

test('crictl that came with the agent is removed with it', async ({ node }) => {
  await writeFile(join(node.dir, 'crictl'), 'of the image')
  for (const _ of ['first', 'again']) {
    const agent = node.agent([], { DEPLOY_CRIO_EXE: 'true' }, node.dir)
    await agent.line(/this node is prepared/)
    await agent.kill('SIGTERM')
    expect(await readFile(join(node.hostDir, 'crictl'), 'utf8')).toBe('of the image')
  }
  expect(await node.agent(['remove']).ended).toBe(0)
  expect(await node.list()).toEqual([])
})

test('a pattern that cannot be restored keeps its composer, so that no core is lost', async ({
  node,
}) => {
  await prepared(node)
  await rm(join(node.hostDir, 'core_pattern.bak'))
  await mkdir(join(node.hostDir, 'core_pattern.bak'))

  const agent = node.agent(['remove'])
  expect(await agent.ended).toBe(1)
  expect(agent.output()).toMatch(/"failed":\["kernel.core_pattern","cdc",".env"\]/)
  expect(await node.list()).toEqual(['.deployed', '.env', 'cdc', 'core_pattern.bak', 'koffi.node'])
  expect((await node.sysctls()).slice(1)).toEqual(ORIGINAL.slice(1))
})

test('a value that equals ours before the start is restored after a change of ours', async ({
  node,
}) => {
  await node.sysctl('fs.suid_dumpable', '2')
  await prepared(node)
  await (await node.daemon({ SUID_DUMPABLE: '1' })).kill('SIGTERM')
  expect(await node.sysctl('fs.suid_dumpable')).toBe('1')
  expect(await node.agent(['remove']).ended).toBe(0)
  expect(await node.sysctl('fs.suid_dumpable')).toBe('2')
})

test('without a backup the default of the kernel is restored', async ({ node }) => {
  await node.sysctl('kernel.core_pattern', '|/gone/cdc -c=%c')
  await prepared(node)
  expect(await node.agent(['remove']).ended).toBe(0)
  expect(await node.sysctl('kernel.core_pattern')).toBe('core')
})

test('a pattern that another program has set meanwhile stays [node-7]', async ({ node }) => {
  await prepared(node)
  await node.sysctl('kernel.core_pattern', '|/usr/lib/systemd/systemd-coredump %P')
  expect(await node.agent(['remove']).ended).toBe(0)
  expect(await node.sysctls()).toEqual([
    '|/usr/lib/systemd/systemd-coredump %P',
    ...ORIGINAL.slice(1),
  ])
})

test('the agent of another directory keeps the sysctls', async ({ node }) => {
  const other = { HOST_DIR: join(node.dir, 'other') }
  await prepared(node)
  await (await node.daemon(other)).kill('SIGTERM')
  const taken = await node.sysctls()

  expect(await node.agent(['remove']).ended).toBe(0)
  expect(await node.sysctls()).toEqual(taken)
  expect(await node.agent(['remove'], other).ended).toBe(0)
  expect(await node.sysctls()).toEqual(ORIGINAL)
})

const DAEMONSET = { kind: 'DaemonSet', metadata: { name: 'core-dump-handler' } }
const GOING = { ...DAEMONSET, metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }

test.for([
  ['is there', 200, DAEMONSET, false],
  ['is being deleted', 200, GOING, true],
  ['is gone', 404, {}, true],
  ['may not be asked for: roles gone', 403, {}, true],
  ['may not be asked for: account gone', 401, {}, true],
  ['is not known to a server in trouble', 500, 'oops', false],
  ['is answered with nonsense', 200, 'oops', false],
] as const)('the DaemonSet %s', async ([, status, body, uninstalling]) => {
  const asked: unknown[] = []
  const env = await fakeApiServer((request, response) => {
    asked.push([request.url, request.headers.authorization])
    response.writeHead(status).end(JSON.stringify(body))
  })
  expect((await isUninstalling(apiServer(env), env)).uninstalling).toBe(uninstalling)
  expect(asked).toEqual([
    ['/apis/apps/v1/namespaces/observe/daemonsets/core-dump-handler', 'Bearer the-token'],
  ])
})

test('no answer of the API server means an update; no token or no pod means an uninstall', async () => {
  const env = await fakeApiServer(() => undefined)
  const gone = { ...env, KUBERNETES_SERVICE_PORT: '1' }
  expect((await isUninstalling(apiServer(gone), gone)).uninstalling).toBe(false)
  await rm(join(env['SERVICE_ACCOUNT_DIR'] ?? '', 'token'))
  expect((await isUninstalling(apiServer(env), env)).uninstalling).toBe(true)
  expect((await isUninstalling(apiServer({}), {})).uninstalling).toBe(true)
})

test('a preStop during an update changes nothing, a preStop of an uninstall restores the node', async ({
  node,
}) => {
  await (await node.daemon()).kill('SIGTERM')
  const taken = await node.sysctls()
  for (const [body, after] of [
    [DAEMONSET, taken],
    [GOING, ORIGINAL],
  ] as const) {
    const env = await fakeApiServer((_, response) => response.end(JSON.stringify(body)))
    expect(await node.agent(['remove', '--if-uninstalling'], env).ended).toBe(0)
    expect(await node.sysctls()).toEqual(after)
  }
})
