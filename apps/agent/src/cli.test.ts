import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { freePort } from '@core-dump-handler/testing/agent/free-port'
import { ORIGINAL, test } from '@core-dump-handler/testing/agent/scratch-node'
import { agentVersion } from './version.ts'

test('--help and --version print and change nothing', async ({ node }) => {
  const [help, number] = [node.agent(['--help']), node.agent(['--version'])]
  expect(await help.ended).toBe(0)
  expect(help.output()).toMatch(/^Usage: core-dump-agent /)
  expect(await number.ended).toBe(0)
  expect(number.output()).toBe(`${agentVersion()}\n`)
  expect(await node.sysctls()).toEqual(ORIGINAL)
})

test.for([['remvoe'], ['--remove'], ['remove', 'x'], ['run']])(
  'a mistyped %j does not change the node',
  async (args, { node }) => {
    const agent = node.agent(args)
    expect(await agent.ended).toBe(2)
    expect(agent.output()).toMatch(/Usage: core-dump-agent .*see --help/)
    expect(await node.sysctls()).toEqual(ORIGINAL)
  },
)

test('status prints what is set up, with an exit code', async ({ node }) => {
  const before = node.agent(['status'])
  expect(await before.ended).toBe(1)
  expect(before.output()).toMatch(/not ok {2}agent: .*host is missing/)
  expect(before.output()).toMatch(/not ok {2}kernel.core_pattern: core.%p \(expected: \|/)

  await node.daemon()
  const after = node.agent(['status'])
  await after.ended
  expect(after.output()).toMatch(/ok {6}agent: running/)
  expect(after.output()).toMatch(/ok {6}waiting: 0 bundles/)
  expect(after.output()).toMatch(/ok {6}disk: \d+ bytes free in /)

  const full = node.agent(['status'], { COMP_MIN_FREE_BYTES: String(2 ** 52) })
  expect(await full.ended).toBe(1)
  expect(full.output()).toMatch(/not ok {2}disk: .*below MIN_FREE_BYTES no core/)
})

test('status prints the checks of the running agent', async ({ node }) => {
  const env = { HEALTH_PORT: String(await freePort()), TAMPER: 'report' }
  const agent = await node.daemon(env)
  const isReady = async (): Promise<boolean> =>
    (await fetch(`http://127.0.0.1:${env.HEALTH_PORT}/readyz`)).ok
  await expect.poll(isReady, { timeout: 10_000 }).toBe(true)
  const ready = node.agent(['status'], env)
  expect(await ready.ended).toBe(0)
  expect(ready.output()).toMatch(
    /ok {6}readiness of node: crashes become bundles\nok {6}readiness of destination: reachable/,
  )

  await node.sysctl('kernel.core_pattern', 'core')
  await agent.line(/changed by another program/)
  const changed = node.agent(['status'], env)
  expect(await changed.ended).toBe(1)
  expect(changed.output()).toMatch(/not ok {2}readiness of node: changed by another program: /)
})

test('canary secrets are in no output, whatever goes wrong [B27]', async ({ node }) => {
  const env = {
    DESTINATION: '',
    S3_BUCKET_NAME: 'cores',
    S3_ENDPOINT: 'http://127.0.0.1:1',
    S3_ACCESS_KEY: 'canary-access-key',
    S3_SECRET: 'canary-secret-key',
    AWS_SECRET_ACCESS_KEY: 'canary-aws-secret',
    AWS_SESSION_TOKEN: 'canary-session',
    LOG_LEVEL: 'trace',
  }
  const daemon = await node.daemon(env)
  await daemon.kill('SIGTERM')
  for (const broken of [{}, { S3_SECRET: 'canary secret\nbroken' }]) {
    for (const args of [['sweep'], ['status'], ['remove']]) {
      const agent = node.agent(args, { ...env, ...broken })
      await agent.ended
      expect(agent.output()).not.toMatch(/canary/)
    }
  }
  expect(daemon.output()).not.toMatch(/canary/)
  expect(await readFile(join(node.dir, 'sys/kernel/core_pattern'), 'utf8')).not.toMatch(/canary/)
})

test('bin/agent.js starts the agent, or the pinned Node, under any version of Node', async ({
  node,
}) => {
  const starter = join(import.meta.dirname, '../bin/agent.js')
  const run = promisify(execFile)
  // the system's Node may be older than what the agent needs
  for (const program of [process.execPath, 'node']) {
    const { stdout } = await run(program, [starter, '--version'], { cwd: node.dir })
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  }
})
