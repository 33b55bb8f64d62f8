import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { corePattern } from '@core-dump-handler/composer'
import { type ScratchNode, test } from '@core-dump-handler/testing/agent/scratch-node'
import { expect } from 'vitest'
import { socketPattern } from './sysctls.ts'

const BY_NODE = { KERNEL_MANAGED_BY: 'node' }

/** The three sysctls as the configuration of the node sets them. */
async function configure(node: ScratchNode, pattern: string, limit = '128'): Promise<string[]> {
  await node.sysctl('kernel.core_pattern', pattern)
  await node.sysctl('kernel.core_pipe_limit', limit)
  await node.sysctl('fs.suid_dumpable', '0')
  return node.sysctls()
}

test('sysctls of the node’s configuration are checked and never written, also by `remove`', async ({
  node,
}) => {
  const set = await configure(node, corePattern(node.hostDir).pattern)
  const agent = await node.daemon(BY_NODE)
  expect(await node.sysctls()).toEqual(set)
  expect((await node.list()).filter((name) => name.endsWith('.bak'))).toEqual([])
  const drifted = await configure(node, '|/usr/bin/other %p', '16')
  await agent.line(/changed by another program.*/)
  // as long as a change is looked for
  await sleep(2500)
  expect(await node.sysctls()).toEqual(drifted)
  await agent.kill('SIGTERM')
  expect(await node.agent(['remove'], BY_NODE).ended).toBe(0)
  expect(await node.sysctls()).toEqual(drifted)
  expect((await node.list()).filter((name) => name.endsWith('.bak'))).toEqual([])
})

test('the composer stays while the node’s configuration has its pattern', async ({ node }) => {
  await configure(node, corePattern(node.hostDir).pattern)
  const agent = await node.daemon(BY_NODE)
  await agent.kill('SIGTERM')
  await node.agent(['remove'], BY_NODE).ended
  expect(await node.list()).toContain('cdc')
})

test('a pattern for another program ends the start with what has to be set', async ({ node }) => {
  const set = await configure(node, 'core.%p')
  const agent = node.agent([], { ...BY_NODE, RECEIVER_MODE: 'auto' })
  expect(await agent.ended).toBe(1)
  expect(agent.output()).toContain(`set it there to \`${socketPattern(node.hostDir)}\``)
  expect(agent.output()).toContain(corePattern(node.hostDir).pattern)
  expect(await node.sysctls()).toEqual(set)
})

test('the pattern of a receiver needs RECEIVER_MODE', async ({ node }) => {
  const set = await configure(node, socketPattern(node.hostDir), '0')
  expect(await node.agent([], BY_NODE).ended).toBe(1)
  const agent = await node.daemon({ ...BY_NODE, RECEIVER_MODE: 'required' })
  expect(await node.sysctls()).toEqual(set)
  await agent.kill('SIGTERM')
})

test('an init container sets the pattern, the agent the other sysctls, and `remove` restores all', async ({
  node,
}) => {
  const env = { KERNEL_MANAGED_BY: 'init-container', RECEIVER_MODE: 'required' }
  await configure(node, 'core.%p', '0')
  const before = await node.sysctls()
  const early = node.agent([], env)
  expect(await early.ended).toBe(1)
  expect(early.output()).toMatch(/delete this pod, so that the init container runs again/)
  // what `core-dump-receiver set-pattern` does
  await writeFile(join(node.hostDir, 'core_pattern.bak'), 'core.%p')
  await node.sysctl('kernel.core_pattern', socketPattern(node.hostDir))
  const agent = await node.daemon(env)
  expect(await node.sysctls()).toEqual([socketPattern(node.hostDir), '128', '2'])
  await agent.kill('SIGTERM')
  expect(await node.agent(['remove'], env).ended).toBe(0)
  expect(await node.sysctls()).toEqual(before)
})
