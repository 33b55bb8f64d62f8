import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { ORIGINAL, test, type ScratchNode } from '@core-dump-handler/testing/agent/scratch-node'

const SYSTEMD = '|/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h %d'

async function set(node: ScratchNode, key: string, value: string): Promise<void> {
  const agent = await node.daemon({ CANARY: 'false' })
  const ours = await node.sysctls()
  await node.sysctl(key, value)
  await agent.line(new RegExp(`"sysctl":"${key}".*"restored":true.*changed by another program`))
  expect(await node.sysctls()).toEqual(ours)
  await agent.kill('SIGTERM')
}

describe('watchNode', () => {
  test('W3: remove restores the value that another program set last while the agent ran', async ({
    node,
  }) => {
    await set(node, 'kernel.core_pattern', '|/usr/share/apport/apport %p')
    await set(node, 'kernel.core_pattern', SYSTEMD)
    await set(node, 'kernel.core_pipe_limit', '16')
    expect(await node.agent(['remove']).ended).toBe(0)
    expect(await node.sysctls()).toEqual([SYSTEMD, '16', ORIGINAL[2]])
    expect(await node.list()).toEqual([])
  })

  test('W3: with TAMPER=report a value that its program took back is the last one', async ({
    node,
  }) => {
    const agent = await node.daemon({ CANARY: 'false', TAMPER: 'report' })
    const ours = await node.sysctl('kernel.core_pattern')
    await node.sysctl('kernel.core_pattern', SYSTEMD)
    await agent.line(/changed by another program/)
    await node.sysctl('kernel.core_pattern', ours)
    await agent.kill('SIGTERM')
    expect(await node.agent(['remove']).ended).toBe(0)
    expect(await node.sysctls()).toEqual([SYSTEMD, ...ORIGINAL.slice(1)])
  })

  test('W3: neither a value of ours nor one that cannot be restored replaces a backup', async ({
    node,
  }) => {
    const agent = await node.daemon({ CANARY: 'false' })
    for (const pattern of ['|/mnt/old/cdc -c=%c', '|/mnt/v9/cdc -c=%c -e=%e -d=/x', '']) {
      const line = `"found":"${pattern.replaceAll('|', '\\|')}"`
      await node.sysctl('kernel.core_pattern', pattern)
      await agent.line(new RegExp(`${line}.*changed by another program`))
    }
    expect(await readFile(join(node.hostDir, 'core_pattern.bak'), 'utf8')).toBe(ORIGINAL[0])
  })
})
