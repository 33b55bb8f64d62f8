import { writeFile } from 'node:fs/promises'
import { release } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { corePattern } from '@core-dump-handler/composer'
import { type ScratchNode, test } from '@core-dump-handler/testing/agent/scratch-node'
import { describe, expect, it } from 'vitest'
import {
  hostDirOf,
  isBackup,
  ownership,
  socketPattern,
  type SysctlValues,
  whyNoSocket,
} from './sysctls.ts'

const ARGS = '-c=%c -e=%e -p=%p -s=%s -t=%t -d=/var/mnt/core-dump-handler/cores -h=%h -E=%E'

const values = (pattern: string, limit: string, suid: string): SysctlValues => ({
  'kernel.core_pattern': pattern,
  'kernel.core_pipe_limit': limit,
  'fs.suid_dumpable': suid,
})

describe('hostDirOf', () => {
  it.for([
    [
      'of this version',
      '|/var/mnt/core-dump-handler/cdc -c=%c -e=%e',
      '/var/mnt/core-dump-handler',
    ],
    ['of version 9', `|/mnt/cdh/cdc ${ARGS}`, '/mnt/cdh'],
    ['of version 9 with a slash at the end of HOST_DIR', `|/mnt/cdh//cdc ${ARGS}`, '/mnt/cdh'],
    ['of version 9 with a blank in HOST_DIR', `|/mnt/my dir/cdc ${ARGS}`, '/mnt/my dir'],
    ['without arguments', '|/mnt/cdh/cdc', '/mnt/cdh'],
    ['of a receiver', '@@/var/mnt/core-dump-handler/receiver.sock', '/var/mnt/core-dump-handler'],
    ['cut in its arguments', `|/${'d'.repeat(90)}/cdc ${ARGS}`.slice(0, 127), `/${'d'.repeat(90)}`],
    ['cut after `cdc`', `|/${'d'.repeat(121)}/cdc`, `/${'d'.repeat(121)}`],
    ['cut within `cdc`', `|/${'d'.repeat(122)}/cdc ${ARGS}`.slice(0, 127), `/${'d'.repeat(122)}`],
    ['cut before `cdc`', `|/${'d'.repeat(124)}/cdc ${ARGS}`.slice(0, 127), `/${'d'.repeat(124)}`],
  ] as const)('D9: recognises a pattern %s', ([, pattern, hostDir]) => {
    expect(hostDirOf(pattern)).toBe(hostDir)
    expect(isBackup('kernel.core_pattern', pattern)).toBe(false)
  })

  it.for([
    'core',
    '/var/crash/cdc.%p',
    '|/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h',
    '|/usr/share/apport/apport -p%p -s%s -c%c -d%d -P%P -u%u -g%g -F%F -- %E',
    '|/mnt/cdh/cdcx %p',
    '@@/run/systemd/coredump',
    '@/mnt/cdh/receiver.sock',
    '|/c',
    `|/${'x'.repeat(125)}`,
  ])('leaves `%s` to its program', (pattern) => {
    expect(hostDirOf(pattern)).toBeUndefined()
    expect(isBackup('kernel.core_pattern', pattern)).toBe(true)
  })
})

describe('ownership', () => {
  const OURS = `|/mnt/cdh/cdc ${ARGS}`
  const THEIRS = '|/usr/lib/systemd/systemd-coredump %P'
  const first = new Map([['kernel.core_pattern', 'core']])
  const set = new Map([
    ['kernel.core_pattern', new Set([OURS])],
    ['kernel.core_pipe_limit', new Set(['128'])],
    ['fs.suid_dumpable', new Set(['2'])],
  ])
  const NONE = new Map<string, Set<string>>()

  it.for([
    ['nothing changed', values(OURS, '128', '2'), set, ['pattern', 'limit', 'suid']],
    ['one number changed', values(OURS, '16', '2'), set, ['pattern', 'suid']],
    ['the other number changed', values(OURS, '128', '1'), set, ['pattern', 'limit']],
    ['the pattern changed', values(THEIRS, '128', '2'), set, ['limit', 'suid']],
    ['all changed, one to our value', values(THEIRS, '16', '2'), set, []],
    ['an agent without a record', values(OURS, '128', '0'), NONE, ['pattern', 'limit', 'suid']],
  ] as const)('D9: %s', ([, found, known, expected]) => {
    const isOurs = ownership(found, { set: known, first })
    const names = {
      'kernel.core_pattern': 'pattern',
      'kernel.core_pipe_limit': 'limit',
      'fs.suid_dumpable': 'suid',
    }
    const ours = Object.entries(names).flatMap(([key, name]) => (isOurs(key) ? [name] : []))
    expect(ours).toEqual(expected)
  })

  it('D9: takes a node whose own limit is 128 as it is', () => {
    const isOurs = ownership(values('core', '128', '2'), { set: NONE, first: new Map() })
    expect(
      ['kernel.core_pattern', 'kernel.core_pipe_limit', 'fs.suid_dumpable'].filter(isOurs),
    ).toEqual([])
  })
})

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

describe('whyNoSocket', () => {
  const ofNode = { sysctlRoot: '/host/proc/sys' }

  test('is undefined for a kernel with coredump sockets', async ({ node }) => {
    const modes = join(node.coreDir, 'core_modes')
    await writeFile(modes, 'file\npipe\nsocket\n')
    expect(whyNoSocket(ofNode, modes)).toBeUndefined()
    expect(whyNoSocket({ sysctlRoot: '/proc/sys' }, modes)).toBeUndefined()
  })

  test('names the modes of a kernel without them', async ({ node }) => {
    const modes = join(node.coreDir, 'core_modes')
    await writeFile(modes, 'file\npipe\n')
    expect(whyNoSocket(ofNode, modes)).toBe(
      `this kernel, ${release()}, has no coredump sockets, only file, pipe (core_modes)`,
    )
  })

  test('names the version that is needed where the kernel has no core_modes', ({ node }) => {
    expect(whyNoSocket(ofNode, join(node.hostDir, 'none'))).toBe(
      `this kernel, ${release()}, has no coredump sockets: they came with Linux 6.17`,
    )
  })

  test('names sysctls that are not those of this kernel', ({ node }) => {
    expect(whyNoSocket({ sysctlRoot: node.hostDir })).toMatch(/are not those of this kernel$/)
  })
})
