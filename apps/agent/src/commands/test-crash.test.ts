import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { freePort } from '@core-dump-handler/testing/agent/free-port'
import { test } from '@core-dump-handler/testing/agent/scratch-node'

test('a canary crashes and its delivery is found, by its own name only', async ({ node }) => {
  const port = String(await freePort())
  await node.daemon({ HEALTH_PORT: port, COMP_IGNORE_CRIO: 'true' })
  const url = `http://127.0.0.1:${port}`
  const canary = node.agent(['test-crash'], { AGENT_URL: url, TEST_TIMEOUT_SECONDS: '30' })
  const line = await canary.line(/has crashed for this test/)
  const comm = /canary-[0-9a-f]{8}/.exec(line)?.[0] ?? ''
  expect(JSON.parse(line)).toMatchObject({ canary: comm })

  // in place of the kernel, whose pattern is not ours here
  for (const name of [comm, 'not-a-canary']) {
    const composer = spawn(join(node.hostDir, 'cdc'), [`-e=${name}`, '-p=1', '-s=6', '-t=1'], {
      env: {},
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    composer.stdin.end('core')
    await once(composer, 'close')
  }
  expect(await canary.ended).toBe(0)
  expect(JSON.parse(await canary.line(/the bundle of the test is in the store/))).toMatchObject({
    bundle: expect.stringMatching(/^file:.*canary-/),
  })
  expect((await fetch(`${url}/delivered/not-a-canary`)).status).toBe(404)
})

test('a bundle that does not arrive is a failure with the readiness of the agent', async ({
  node,
}) => {
  const port = String(await freePort())
  const env = { AGENT_URL: `http://127.0.0.1:${port}`, TEST_TIMEOUT_SECONDS: '2' }
  const unreachable = node.agent(['test-crash'], env)
  expect(await unreachable.ended).toBe(1)
  expect(unreachable.output()).toMatch(/ECONNREFUSED.*not ready, so no process was made to crash/)

  await node.daemon({ HEALTH_PORT: port })
  const canary = node.agent(['test-crash'], env)
  expect(await canary.ended).toBe(1)
  expect(canary.output()).toMatch(/not delivered yet.*ok node: crashes become bundles/)
})

test('no process is made to crash before the agent is ready', async ({ node }) => {
  const port = String(await freePort())
  const env = { AGENT_URL: `http://127.0.0.1:${port}`, TEST_TIMEOUT_SECONDS: '20' }
  const canary = node.agent(['test-crash'], env)
  await sleep(1500)
  expect(canary.output()).toBe('')
  await node.daemon({ HEALTH_PORT: port })
  await canary.line(/has crashed for this test/)
  expect(await canary.kill('SIGTERM')).toBe(1)
})
