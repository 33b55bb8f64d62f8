import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeRecord } from '@core-dump-handler/bundle'
import { freePort } from '@core-dump-handler/testing/agent/free-port'
import { test, type ScratchNode } from '@core-dump-handler/testing/agent/scratch-node'
import { describe, expect } from 'vitest'
import { readHistory } from './crash-history.ts'

const ID = '0123456789abcdef01234567'

/** Leaves a bundle as of a crash in a pod. */
async function crash(node: ScratchNode, name: string, topFrame = 'pay (shop)'): Promise<void> {
  await writeRecord(node.coreDir, {
    name,
    reason: 'a test',
    reasonCode: 'CORE_REPEATED',
    dumpInfo: '{}',
    manifest: {
      composer: '0.1.0',
      crash: { time: '2026-11-30T12:00:00.000Z', signalName: 'SIGSEGV', exe: '/usr/bin/shop' },
      identity: { status: 'verified', namespace: 'web', pod: 'shop-1' },
      fingerprint: { id: ID, family: ID },
      topFrame,
      timings: { heldMs: 1, lookupMs: 0, totalMs: 1 },
      problems: [],
    },
  })
}

async function statusOf(node: ScratchNode): Promise<string[]> {
  const status = node.agent(['status'])
  await status.ended
  const lines = status.output().split('\n')
  return lines
    .filter((line) => line.includes(' crash'))
    .map((line) => line.slice('ok      '.length))
}

describe('the last crashes', () => {
  test('are in `status` with their objects, and counted across restarts', async ({ node }) => {
    const first = await node.daemon()
    expect(await statusOf(node)).toEqual(['crashes: none was seen on this node'])
    await crash(node, 'a')
    const line =
      'crash: 2026-11-30T12:00:00.000Z web/shop-1 /usr/bin/shop SIGSEGV in pay (shop) [01234567]'
    const object = (name: string): string => `file://${node.destination}/${name}.zip`
    await expect
      .poll(() => statusOf(node), { timeout: 15_000 })
      .toEqual([`${line}: ${object('a')}`])
    await first.kill('SIGKILL')

    const port = await freePort()
    await node.daemon({ HEALTH_PORT: String(port) })
    await crash(node, 'b')
    await expect
      .poll(() => statusOf(node), { timeout: 15_000 })
      .toEqual([`${line}, seen 2 times: ${object('a')}`, `${line}, seen 2 times: ${object('b')}`])
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    expect(metrics).toContain(
      `core_dump_fingerprint_crashes_total{fingerprint="${ID}",program="shop"} 1`,
    )
    expect((await stat(join(node.hostDir, '.crashes'))).mode & 0o777).toBe(0o600)
    expect(await node.agent(['remove']).ended).toBe(0)
    expect(await node.list()).toEqual([])
  })

  test('are in `status` when they wait for their upload, each in one line', async ({ node }) => {
    // no directory: every upload fails
    await writeFile(`${node.destination}/below`, '')
    await node.daemon({ DESTINATION: `file:${node.destination}/below/a-file` })
    await crash(node, 'a', 'pay\nok      crash: forged\u202E (shop)')
    await expect
      .poll(() => statusOf(node), { timeout: 20_000 })
      .toEqual([
        expect.stringMatching(/ in pay\\u000aok {6}crash: forged\\u202e .*: not uploaded yet$/),
      ])
  })

  test('are bounded, whatever crashes', async ({ node }) => {
    const agent = await node.daemon()
    for (let n = 0; n < 30; n++) await crash(node, `${n}`, 'x'.repeat(4000))
    const file = join(node.hostDir, '.crashes')
    await expect.poll(() => readHistory(file).fingerprints, { timeout: 20_000 }).toEqual([[ID, 30]])
    expect(readHistory(file).crashes).toHaveLength(20)
    expect((await readFile(file)).length).toBeLessThan(20_000)
    expect(await statusOf(node)).toHaveLength(10)

    await agent.kill('SIGKILL')
    await writeFile(file, '{"crashes": [{}]}')
    expect(await statusOf(node)).toEqual(['crashes: none was seen on this node'])
  })
})
