import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Lock, lockNode } from './lock-node.ts'

async function node(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'lock-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  for (const name of ['a', 'b', 'sys/kernel']) await mkdir(join(dir, name), { recursive: true })
  await writeFile(join(dir, 'sys/kernel/core_pattern'), 'core\n')
  return dir
}

describe('lockNode', () => {
  it('locks a node for one agent, whatever the directories of other agents are [node-2]', async () => {
    const dir = await node()
    const lock = async (name: string): Promise<Lock> =>
      lockNode({ hostDir: join(dir, name), sysctlRoot: join(dir, 'sys') })
    const first = await lock('a')
    expect(first.outcome).toBe('locked')
    expect(await lock('a')).toEqual({ outcome: 'taken', path: join(dir, 'a') })
    const pattern = join(dir, 'sys/kernel/core_pattern')
    expect(await lock('b')).toEqual({ outcome: 'taken', path: pattern })

    if (first.outcome === 'locked') first.release()
    const second = await lock('b')
    expect(second.outcome).toBe('locked')
    if (second.outcome === 'locked') second.release()
  })

  it('gives the reason where the lock cannot be known', async () => {
    expect(await lockNode({ hostDir: '/nowhere', sysctlRoot: '/nowhere' })).toMatchObject({
      outcome: 'unknown',
      reason: expect.stringContaining('ENOENT'),
    })
  })
})
