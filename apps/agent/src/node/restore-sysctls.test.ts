import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { ORIGINAL, test, type ScratchNode } from '@core-dump-handler/testing/agent/scratch-node'

const SYSTEMD = '|/usr/lib/systemd/systemd-coredump %P %u %g %s %t 9223372036854775808 %h %d'
const KEYS = ['kernel.core_pattern', 'kernel.core_pipe_limit', 'fs.suid_dumpable'] as const

async function set(node: ScratchNode, values: readonly string[]): Promise<void> {
  for (const [index, key] of KEYS.entries()) await node.sysctl(key, values[index])
}

async function startAndKill(node: ScratchNode, env: NodeJS.ProcessEnv = {}): Promise<void> {
  await (await node.daemon({ CANARY: 'false', ...env })).kill('SIGKILL')
}

async function remove(node: ScratchNode): Promise<{ code: unknown; output: string }> {
  const agent = node.agent(['remove'])
  const code = await agent.ended
  return { code, output: agent.output() }
}

describe('restoreSysctls', () => {
  test.for([
    ['the pattern of an upgraded systemd', [SYSTEMD, '16', '2']],
    ['only another pattern', [SYSTEMD, '128', '2'], [SYSTEMD, ...ORIGINAL.slice(1)]],
    ['only another limit', ['', '16', '2'], [ORIGINAL[0], '16', ORIGINAL[2]]],
    ['only another suid_dumpable', ['', '128', '0'], [...ORIGINAL.slice(0, 2), '0']],
  ] as const)('D9, W2: restores %s found at the next start', async ([, found, after], { node }) => {
    await startAndKill(node)
    const ours = await node.sysctl(KEYS[0])
    await set(node, [found[0] || ours, found[1], found[2]])
    await startAndKill(node)
    expect(await node.sysctls()).toEqual([ours, '128', '2'])
    await startAndKill(node) // with nothing but ours
    const { code, output } = await remove(node)
    expect(code).toBe(0)
    expect(await node.sysctls()).toEqual(after ?? found)
    expect(output).toContain('the values that other programs set since the installation')
    expect(output).not.toContain('as it was found')
    expect(await node.list()).toEqual([])
  })

  test('D9: restores the first values after starts with other values of ours', async ({ node }) => {
    for (const SUID_DUMPABLE of ['2', '1', '0', '2']) await startAndKill(node, { SUID_DUMPABLE })
    const { code, output } = await remove(node)
    expect(code).toBe(0)
    expect(await node.sysctls()).toEqual(ORIGINAL)
    expect(output).toContain('the node is restored as it was found')
    expect(output).toContain('restored to the value that the installation found')
  })

  test('D9: keeps all values of a node that was started again, without an agent', async ({
    node,
  }) => {
    await startAndKill(node)
    await set(node, [SYSTEMD, '16', '2'])
    expect((await remove(node)).code).toBe(0)
    expect(await node.sysctls()).toEqual([SYSTEMD, '16', '2'])
  })

  test('D9: takes over the newest backup of agents in two directories', async ({ node }) => {
    const other = { HOST_DIR: join(node.dir, 'other') }
    await startAndKill(node)
    await set(node, [SYSTEMD, '16', '0'])
    await startAndKill(node, other)
    await startAndKill(node)
    expect((await remove(node)).code).toBe(0)
    expect(await node.sysctls()).toEqual([SYSTEMD, '16', '0'])
  })

  test.for([
    ['empty', ''],
    ['of blanks', ' \n'],
    ['of zeros, as a power-off leaves it', '\0'.repeat(20)],
    ['cut within a specifier', '|/usr/lib/systemd/systemd-coredump %P %'],
    ['too long', 'x'.repeat(128)],
    ['no program', '|'],
    ['a pattern of ours', '|/mnt/old/cdc -c=%c -e=%e'],
  ] as const)(
    'D9: sets the default of the kernel where the backup is %s, and reports it',
    async ([, text], { node }) => {
      await startAndKill(node)
      await writeFile(join(node.hostDir, 'core_pattern.bak'), text)
      const again = await node.daemon({ CANARY: 'false' })
      expect(again.output()).toContain('the backup of a sysctl cannot be used')
      await again.kill('SIGKILL')
      const { code, output } = await remove(node)
      expect(code).toBe(1)
      expect(output).toMatch(/core_pattern.bak.*default of the kernel: its backup cannot be used/)
      expect(output).toContain('"failed":["core_pattern.bak"]')
      expect(await node.sysctls()).toEqual(['core', ...ORIGINAL.slice(1)])
      expect((await remove(node)).code, 'the second time').toBe(0)
      expect(await node.list()).toEqual([])
    },
  )

  test.for([
    ['core_pipe_limit', 'many', ['core.%p', '0', '1']],
    ['suid_dumpable', '3', ['core.%p', '0', '0']],
    ['suid_dumpable', '', ['core.%p', '0', '0']],
  ] as const)('D9: the backup %s of `%s` is none', async ([name, text, after], { node }) => {
    await startAndKill(node)
    await writeFile(join(node.hostDir, `${name}.bak`), text)
    expect((await remove(node)).code).toBe(1)
    expect(await node.sysctls()).toEqual(after)
  })

  test('D9: a backup that cannot be used is replaced by the next value that is found', async ({
    node,
  }) => {
    await startAndKill(node)
    await writeFile(join(node.hostDir, 'core_pattern.bak'), '')
    await node.sysctl(KEYS[0], SYSTEMD)
    await startAndKill(node)
    expect(await readFile(join(node.hostDir, 'core_pattern.bak'), 'utf8')).toBe(SYSTEMD)
  })
})
