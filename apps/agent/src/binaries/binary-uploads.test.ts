import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type ScratchNode } from '@core-dump-handler/testing/agent/scratch-node'
import { expect } from 'vitest'

const A = 'aa'.repeat(20)
const B = 'bb'.repeat(8)

/** Binaries as composers have left them, and a bundle. */
async function leave(node: ScratchNode, ...names: readonly string[]): Promise<string> {
  const directory = join(node.coreDir, 'binaries')
  await mkdir(directory)
  for (const name of names) await writeFile(join(directory, name), name)
  await writeFile(join(node.coreDir, 'a.zip'), 'a bundle')
  return directory
}

test('with BINARIES=true sweep uploads binaries after the bundles, once', async ({ node }) => {
  const directory = await leave(node, A, B, `.${A}.part`, 'README')
  const sweep = node.agent(['sweep'], { COMP_BINARIES: 'true' })
  expect(await sweep.ended).toBe(0)
  expect(await node.list(join(node.destination, 'binaries'))).toEqual([A, B])
  expect(await node.list(node.destination)).toEqual(['a.zip', 'binaries'])
  expect(await node.list(directory)).toEqual([`.${A}.part`, '.stored', 'README'].toSorted())
})

test('sweep of a file uploads no binaries', async ({ node }) => {
  const directory = await leave(node, A)
  const sweep = node.agent(['sweep', join(node.coreDir, 'a.zip')], { COMP_BINARIES: 'true' })
  expect(await sweep.ended).toBe(0)
  expect(await node.list(node.destination)).toEqual(['a.zip'])
  expect(await node.list(directory)).toEqual([A])
})

test('the agent uploads binaries as its trigger says', async ({ node }) => {
  const directory = await leave(node, A, B)
  const agent = await node.daemon({ COMP_BINARIES: 'true', INTERVAL: '1000' })
  await agent.line(/binary stored/)
  await expect.poll(async () => node.list(directory), { timeout: 10_000 }).toEqual(['.stored'])
  expect(await node.list(join(node.destination, 'binaries'))).toEqual([A, B])
})

test('an agent without BINARIES deletes what was left, and no other file', async ({ node }) => {
  const directory = await leave(node, A, `.${B}.part`, '.stored', 'README')
  await node.daemon()
  await expect.poll(async () => readdir(directory), { timeout: 10_000 }).toEqual(['README'])
  await expect.poll(async () => node.list(node.destination)).toEqual(['a.zip'])
})
