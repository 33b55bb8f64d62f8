import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { coreLimitOf, crashOfPeer, signalOf } from './crash-of-peer.ts'

const line = (soft: string): string =>
  `Limit  Soft\nMax core file size   ${soft}   unlimited bytes\n`

describe('signalOf', () => {
  it('reads the signal from the last field, whatever the name of the process is', () => {
    const fields = Array.from({ length: 48 }, () => '0').join(' ')
    expect(signalOf(`7 (a) b) S 1 ${fields} 11\n`)).toBe('11')
    expect(signalOf(`7 (a 9) S 1 ${fields} 134\n`)).toBe('6')
    expect(signalOf(`7 (a) S 1 ${fields} 0\n`)).toBe('')
    expect(signalOf('')).toBe('')
  })
})

describe('coreLimitOf', () => {
  it('gives the soft limit as the kernel prints it for %c', () => {
    expect(coreLimitOf(line('0'))).toBe('0')
    expect(coreLimitOf(line('unlimited'))).toBe('18446744073709551615')
    expect(coreLimitOf('')).toBe('')
  })
})

const PEER = { uid: 0, gid: 0, pidfd: undefined, dumpMode: undefined, hasEnded: false } as const

describe('crashOfPeer', () => {
  it('reads nothing of the process that has the pid of one that has ended', () => {
    const crash = crashOfPeer({ ...PEER, pid: process.pid, hasEnded: true }, '/proc', '')
    const nothing = { exeName: '', signal: '', pathname: '', limitSize: '', innerPid: undefined }
    expect(crash).toMatchObject({ hostPid: process.pid, uid: 0, gid: 0, ...nothing })
  })

  it('reads what the kernel has of a process', () => {
    const peer = { ...PEER, pid: process.pid, uid: 1, gid: 2, dumpMode: 2 } as const
    const crash = crashOfPeer(peer, '/proc', 'node-1')
    const comm = readFileSync('/proc/self/comm', 'utf8').trimEnd()
    expect(crash).toMatchObject({ hostPid: process.pid, uid: 1, gid: 2, dumpMode: 2 })
    expect(crash).toMatchObject({ hostname: 'node-1', exeName: comm })
    expect(crash.pathname).toBe(process.execPath.replaceAll('/', '!'))
    expect(crash.innerPid).toBe(process.pid)
  })

  it('has empty texts for a process that was killed meanwhile', () => {
    expect(crashOfPeer({ ...PEER, pid: 999_999_999 }, '/proc', '')).toMatchObject({
      exeName: '',
      signal: '',
      pathname: '',
    })
  })
})
