import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { claimNode } from './lock-node.ts'

async function node(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'claim-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  for (const name of ['a', 'b', 'sys/kernel']) await mkdir(join(dir, name), { recursive: true })
  await writeFile(join(dir, 'sys/kernel/core_pattern'), 'core\n')
  return dir
}

test('a node is held by one agent, whatever the directories of the others', async () => {
  const dir = await node()
  const claim = (name: string) =>
    claimNode({ hostDir: join(dir, name), sysctlRoot: join(dir, 'sys') })
  const first = claim('a')
  expect(first.outcome).toBe('claimed')
  expect(claim('a')).toEqual({ outcome: 'taken', on: join(dir, 'a') })
  expect(claim('b')).toEqual({ outcome: 'taken', on: join(dir, 'sys/kernel/core_pattern') })

  if (first.outcome === 'claimed') first.release()
  const second = claim('b')
  expect(second.outcome).toBe('claimed')
  if (second.outcome === 'claimed') second.release()
})

test('where nobody can be asked, that is said', async () => {
  expect(claimNode({ hostDir: '/nowhere', sysctlRoot: '/nowhere' })).toMatchObject({
    outcome: 'unknown',
    reason: expect.stringContaining('ENOENT'),
  })
})
