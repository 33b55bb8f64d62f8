import { describe, expect, it } from 'vitest'
import { AgentError } from '../error.ts'
import { adviseReceiver, entryByComposer, entryWithoutFallback } from './entry.ts'

const HOST_DIR = '/var/mnt/cdh'
const SOCKET = '@@/var/mnt/cdh/receiver.sock'
const BY_NODE = { hostDir: HOST_DIR, kernelManagedBy: 'node' } as const
const BY_INIT = { hostDir: HOST_DIR, kernelManagedBy: 'init-container' } as const

describe('entryByComposer', () => {
  it('names the way that needs no privilege', () => {
    expect(entryByComposer('1.2.3')).toEqual({
      entry: 'socket',
      detail:
        'the kernel connects to the receiver 1.2.3; a composer that the kernel started has set the pattern',
    })
  })
})

describe('entryWithoutFallback', () => {
  it.for([
    [BY_NODE, /the configuration of this node has set the pattern, .*because.* is `node`$/],
    [BY_INIT, /an init container has set the pattern, .*because.* is `init-container`$/],
  ] as const)('names who has set the pattern, and why no composer has: %o', ([settings, why]) => {
    const found = entryWithoutFallback(SOCKET, '1.2.3', settings)
    expect(found).toEqual({ entry: 'socket', detail: expect.stringMatching(why) })
    expect(found.detail).toMatch(/^the kernel connects to the receiver 1\.2\.3; /)
    expect(found.detail).toContain('not a composer that the kernel starts')
  })

  it.for([BY_NODE, BY_INIT])('reports that crashes are lost without a receiver: %o', (settings) => {
    expect(entryWithoutFallback(SOCKET, undefined, settings)).toEqual({
      entry: 'none',
      detail: 'no receiver listens: crashes wait for one for 10 s, then they are lost',
    })
  })

  it('names the pattern for the receiver where the node has that of the composer', () => {
    expect(entryWithoutFallback('|/var/mnt/cdh/cdc -c=%c', '1.2.3', BY_NODE)).toEqual({
      entry: 'pipe',
      detail: expect.stringMatching(
        /the configuration of this node .*: for the receiver it has to be `@@\/var\/mnt\/cdh\/receiver\.sock`$/,
      ),
    })
  })

  it('reports that crashes are lost where another program has replaced the pattern of an init container', () => {
    expect(entryWithoutFallback('core', '1.2.3', BY_INIT)).toMatchObject({ entry: 'none' })
  })
})

describe('adviseReceiver', () => {
  const denied = new AgentError('CANARY', 'no bundle of it')

  it.for(['CANARY', 'SELF_TEST'] as const)('names the ways without a program: %s', (code) => {
    const advised = adviseReceiver(new AgentError(code, 'it is denied'), 'auto', undefined)
    expect(advised).toMatchObject({
      code,
      message: expect.stringMatching(
        /^it is denied\. .*set KERNEL_MANAGED_BY to init-container or node$/,
      ),
    })
  })

  it('leaves an error that a receiver would not end', () => {
    const full = new AgentError('DEPLOY', 'the disk is full')
    expect(adviseReceiver(full, 'auto', undefined)).toBe(full)
    expect(adviseReceiver(denied, 'off', undefined)).toBe(denied)
    expect(adviseReceiver(denied, 'required', 'this kernel has no coredump sockets')).toBe(denied)
  })
})
