import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { fakeApiServer } from '@core-dump-handler/testing/agent/api-server'
import { ORIGINAL, test } from '@core-dump-handler/testing/agent/scratch-node'
import { apiServer } from './api-server.ts'
import { isUninstalling } from './is-uninstalling.ts'

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
  const prepared = await node.sysctls()
  for (const [body, after] of [
    [DAEMONSET, prepared],
    [GOING, ORIGINAL],
  ] as const) {
    const env = await fakeApiServer((_, response) => response.end(JSON.stringify(body)))
    expect(await node.agent(['remove', '--if-uninstalling'], env).ended).toBe(0)
    expect(await node.sysctls()).toEqual(after)
  }
})
