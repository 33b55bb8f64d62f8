import { describe, expect, it } from 'vitest'
import { explainCanary, explainDenial, lacksExecutableMemory } from './explain-denial.ts'

const where = { hostDir: '/opt/h', coreDir: '/cores' }
const FAILED = 'coredump: 7(canary-00000000): |/opt/h/cdc pipe failed'
const EXECMEM =
  'audit: type=1400 audit(1.2:3): avc:  denied  { execmem } for  pid=8 comm="MainThread" scontext=system_u:system_r:kernel_t:s0 tcontext=system_u:system_r:kernel_t:s0 tclass=process permissive=0'
const EXECUTE =
  'audit: type=1400 audit(1.2:3): avc:  denied  { execute } for  pid=8 comm="kworker/u8:2" name="cdc" dev="vda3" ino=131 scontext=system_u:system_r:kernel_t:s0 tcontext=system_u:object_r:container_file_t:s0 tclass=file permissive=0'
const MKNOD =
  'audit: type=1400 audit(1.2:3): apparmor="DENIED" operation="mknod" profile="cdc" name="/cores/.x.zip.part" pid=8 comm="MainThread" requested_mask="c" denied_mask="c" fsuid=0 ouid=0'

const explain = (lines: readonly string[], unreadable?: string): string =>
  explainCanary(where, { lines, unreadable })

const lacks = (lines: readonly string[]): boolean =>
  lacksExecutableMemory(where, { lines, unreadable: undefined })

describe('explainCanary', () => {
  it.for([
    [
      [EXECUTE, FAILED],
      /SELinux denies `execute` to the helper.* run `\/opt\/h\/cdc`.*log contains: .*avc: .*\| coredump/,
    ],
    [
      ['audit: type=1400 audit(1.2:3): apparmor="DENIED" operation="exec" name="/opt/h/cdc" pid=8'],
      /AppArmor denies `exec` .* run `\/opt\/h\/cdc`/,
    ],
    [[FAILED], /can run `\/opt\/h\/cdc` and the kernel cannot/],
    [['coredump: 7(x): over core_pipe_limit, skipping core dump'], /more cores .* core_pipe_limit/],
    [[], /out of time.*log does not mention it/],
  ] as const)('names the cause by %j', ([lines, message]) => {
    expect(explain(lines)).toMatch(message)
  })

  it('G3: gives the remedy for the permission that was denied', () => {
    expect(explain([EXECMEM])).toMatch(
      /SELinux denies `execmem` .*`allow_execmem` or the rule `allow kernel_t self:process execmem`/,
    )
    expect(explain([EXECMEM])).not.toContain('HOST_DIR')
    expect(explain([MKNOD])).toMatch(/AppArmor denies `mknod` .* write in `\/cores`/)
  })

  it('G8: points to the audit log where the kernel log does not mention it', () => {
    expect(explain([])).toMatch(/auditd.*`ausearch -m AVC \| grep -e cdc -e MainThread`/)
    expect(explain([], 'EPERM: operation not permitted')).toMatch(
      /cannot be read here \(EPERM.*dmesg.*ausearch/,
    )
  })
})

describe('lacksExecutableMemory', () => {
  it('G1: is true only where that is what was denied to the composer', () => {
    expect(lacks([EXECMEM, FAILED])).toBe(true)
    for (const line of [EXECUTE, MKNOD, FAILED]) expect(lacks([line])).toBe(false)
    expect(lacks([EXECMEM.replaceAll('kernel_t', 'httpd_t').replace('MainThread', 'httpd')])).toBe(
      false,
    )
  })
})

describe('explainDenial', () => {
  it('G4: names policy, permission and remedy for a program that the agent started', () => {
    expect(explainDenial(where, { lines: [MKNOD], unreadable: undefined })).toMatch(
      /^AppArmor denies `mknod` to the composer; allow it to write in `\/cores`.*log contains: /,
    )
    const other = 'audit: type=1400 audit(1.2:3): apparmor="DENIED" operation="open" name="/etc/x"'
    expect(explainDenial(where, { lines: [other, FAILED], unreadable: undefined })).toBeUndefined()
  })
})
