import { expect, test } from 'vitest'
import { whyNoCanary } from './explain-canary.ts'

const where = { hostDir: '/opt/h', coreDir: '/opt/h/cores' }
const FAILED = 'coredump: 7(canary-00000000): |/opt/h/cdc pipe failed'

test.for([
  [
    [
      'audit: type=1400 audit(1.2:3): avc:  denied  { execute } for  pid=8 comm="kworker/u8:2" name="cdc" dev="vda3" ino=131 scontext=system_u:system_r:kernel_t:s0 tcontext=system_u:object_r:container_file_t:s0 tclass=file permissive=0',
      FAILED,
    ],
    /SELinux denies it to the helper.*its log says: .*avc: .*\| coredump/,
  ],
  [
    ['audit: type=1400 audit(1.2:3): apparmor="DENIED" operation="exec" name="/opt/h/cdc" pid=8'],
    /AppArmor denies it/,
  ],
  [[FAILED], /can run `\/opt\/h\/cdc` and the kernel cannot/],
  [['coredump: 7(x): over core_pipe_limit, skipping core dump'], /more cores .* core_pipe_limit/],
  [[], /out of time.*its log says nothing/],
] as const)('of %j the cause is told', ([lines, message]) => {
  expect(whyNoCanary(where, lines, undefined)).toMatch(message)
})

test('where the log cannot be read, it says where to look', () => {
  expect(whyNoCanary(where, [], 'EPERM: operation not permitted')).toMatch(
    /cannot be read here \(EPERM.*dmesg/,
  )
})
