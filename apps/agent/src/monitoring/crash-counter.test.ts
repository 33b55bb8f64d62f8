import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { freePort } from '@core-dump-handler/testing/agent/free-port'
import { test, type ScratchNode } from '@core-dump-handler/testing/agent/scratch-node'
import { CrashCounter } from './crash-counter.ts'

function counterOf(node: ScratchNode): { counter: CrashCounter; found: () => number } {
  let found = 0
  const counter = new CrashCounter({
    coreDir: node.coreDir,
    stateFile: join(node.dir, 'counted'),
    keepsState: async () => true,
    onFound: () => found++,
  })
  return { counter, found: () => found }
}

describe('CrashCounter', () => {
  test('reports a bundle once that is scanned and uploaded several times', async ({ node }) => {
    const file = join(node.coreDir, 'a.zip')
    await writeFile(file, 'no zip')
    const { counter, found } = counterOf(node)
    await counter.scan()
    for (let n = 0; n < 3; n++) counter.add(file, Promise.resolve(undefined))
    await counter.scan()
    expect(found()).toBe(1)
    await writeFile(join(node.coreDir, 'b.zip'), 'no zip')
    counter.add(join(node.coreDir, 'b.zip'), Promise.resolve(undefined))
    await rm(join(node.coreDir, 'b.zip'))
    await expect.poll(found).toBe(2)
  })

  test('D15: crashes are counted during an outage of the store, and once across restarts', async ({
    node,
  }) => {
    for (let n = 0; n < 20; n++) await writeFile(join(node.coreDir, `${n}.zip`), 'no zip')
    // no directory: every upload fails
    await rm(node.destination, { recursive: true })
    await writeFile(node.destination, '')
    const port = await freePort()
    const env = { HEALTH_PORT: String(port) }
    const crashes = async (): Promise<number> => {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
      const counts = [...text.matchAll(/^core_dump_crashes_total\{.*\} (\d+)$/gm)]
      return counts.reduce((sum, [, count]) => sum + Number(count), 0)
    }
    const first = await node.daemon(env)
    await expect.poll(crashes, { timeout: 10_000 }).toBe(20)
    await expect.poll(async () => node.list(), { timeout: 10_000 }).toContain('.counted')
    await first.kill('SIGKILL')

    await writeFile(join(node.coreDir, 'next.zip'), 'no zip')
    await node.daemon(env)
    await expect.poll(crashes, { timeout: 10_000 }).toBe(1)
    expect(await node.agent(['remove']).ended).toBe(0)
    expect(await node.list()).toEqual([])
  })
})
