import { describe, expect, it } from 'vitest'
import { ownership } from './sysctl-record.ts'
import { hostDirOf, isBackup, type SysctlValues } from './sysctls.ts'

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
