import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { Agent, s3Settings } from './agent.ts'
import type { ObjectStore, S3Account } from '../store/object-store.ts'
import { until } from '../until.ts'

/** An agent that uploads to a store and does not change this machine's kernel settings. */
export function agentFor(account: S3Account, env: Readonly<Record<string, string>> = {}): Agent {
  const agent = new Agent({ ...s3Settings(account), INTERVAL: '1000', ...env }).spareKernel()
  onTestFinished(() => agent.dispose())
  return agent
}

/** Write a finished bundle to the core directory, as a composer does. */
export function leaveBundle(agent: Agent, bytes: number): { name: string; content: Buffer } {
  const content = randomBytes(bytes)
  const name = `${randomBytes(4).toString('hex')}.zip`
  writeFileSync(join(agent.coreDir, `.${name}.part`), content)
  renameSync(join(agent.coreDir, `.${name}.part`), join(agent.coreDir, name))
  return { name, content }
}

/** Wait until the store has it, byte for byte, and the node no longer has it. */
export async function expectStored(
  store: ObjectStore,
  name: string,
  content: Buffer,
  agent: Agent,
): Promise<void> {
  const withLog = (cause: unknown): never => {
    throw new Error(`the agent logged:\n${agent.output}`, { cause })
  }
  await until('the object is there', async () => (await store.keys()).includes(name), 60_000).catch(
    withLog,
  )
  await until('the file is gone', () => !agent.waiting.includes(name)).catch(withLog)
  const copy = join(agent.directory, 'copy')
  await store.fetch(name, copy)
  expect(readFileSync(copy).equals(content)).toBe(true)
  expect(await store.uploads()).toEqual([])
}
