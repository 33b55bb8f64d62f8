import { expect, test } from 'vitest'
import { isAbout, readKernelLine } from './kernel-log.ts'

const HOST_DIR = '/var/mnt/core-dump-handler'

// as kernels, SELinux and AppArmor print them
test.for([
  ['coredump: 4711(web): over core_pipe_limit, skipping core dump', 'CORE_PIPE_LIMIT'],
  ['coredump_pipe: 359 callbacks suppressed', 'CORE_PIPE_LIMIT', 359],
  ['Pid 4711(web) over core_pipe_limit', 'CORE_PIPE_LIMIT'],
  ['coredump: 370(canary-3f835fd4): |/tmp/host/cdc pipe failed', 'PIPE_FAILED'],
  ['Core dump to |/var/mnt/core-dump-handler/cdc pipe failed', 'PIPE_FAILED'],
  [
    'coredump: 4711(web): Coredump socket connection /var/mnt/core-dump-handler/receiver.sock failed -111',
    'SOCKET_FAILED',
  ],
  ['coredump_sock_connect: 12 callbacks suppressed', 'SOCKET_FAILED', 12],
] as const)('%s', ([text, reason, crashes = 1]) => {
  expect(readKernelLine(text)).toEqual({ kind: 'drop', reason, text, crashes })
})

test.for([
  [
    'audit: type=1400 audit(1700000000.123:42): avc:  denied  { execute } for  pid=4712 comm="kworker/u8:2" name="cdc" dev="nvme0n1p3" ino=131 scontext=system_u:system_r:kernel_t:s0 tcontext=system_u:object_r:container_file_t:s0 tclass=file permissive=0',
    'execute',
    'run',
  ],
  [
    'audit: type=1400 audit(1700000000.250:43): avc:  denied  { execmem } for  pid=9 comm="MainThread" scontext=system_u:system_r:container_t:s0:c1,c2 tcontext=system_u:system_r:container_t:s0:c1,c2 tclass=process permissive=0',
    'execmem',
    'executable memory',
  ],
  [
    'audit: type=1400 audit(1700000000.200:43): avc:  denied  { execmod } for  pid=9 comm="cdc" path="/usr/lib/ld.so" dev="sda1" ino=9 scontext=system_u:system_r:init_t:s0 tcontext=x tclass=file permissive=0',
    'execmod',
    'executable memory',
  ],
] as const)('a denial of SELinux is known by its words: %s', ([text, permission, action]) => {
  const line = readKernelLine(text)
  expect(line).toMatchObject({ kind: 'denial', policy: 'SELinux', permission, action })
  expect(line && isAbout(line, [HOST_DIR])).toBe(true)
})

test('a denial of AppArmor is known by its words', () => {
  const text =
    'audit: type=1400 audit(1700000000.300:44): apparmor="DENIED" operation="exec" class="file" profile="usermode-helper" name="/var/mnt/core-dump-handler/cdc" pid=4713 comm="kworker/u8:0" requested_mask="x" denied_mask="x" fsuid=0 ouid=0'
  const line = readKernelLine(text)
  expect(line).toMatchObject({
    kind: 'denial',
    policy: 'AppArmor',
    permission: 'exec',
    action: 'run',
  })
  expect(line && isAbout(line, [HOST_DIR])).toBe(true)
})

test('denials of other programs, and what a process writes itself, are ignored', () => {
  const other =
    'audit: type=1400 audit(1.2:3): avc:  denied  { read } for  pid=1 comm="httpd" name="x" scontext=system_u:system_r:httpd_t:s0 tcontext=y tclass=file permissive=0'
  const line = readKernelLine(other)
  expect(line && isAbout(line, [HOST_DIR])).toBe(false)
  expect(readKernelLine('web: Pid 1(x) over core_pipe_limit')).toBeUndefined()
  expect(readKernelLine('')).toBeUndefined()
})
