import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Seconds since the epoch at which the fake machine booted. */
export const BOOT_TIME = 1_700_000_000

export interface FakeProcess {
  readonly pid: number
  readonly tid?: number
  readonly nspid?: readonly number[]
  readonly uid?: number
  readonly gid?: number
  readonly comm?: string
  readonly coreDumping?: boolean
  readonly startTicks?: number
  readonly cgroup?: string
  readonly files?: Readonly<Record<string, string | Buffer>>
  /** When set, fdinfo of descriptor 3 is that of a pidfd of this pid. */
  readonly pidfdNames?: number
}

/** A scratch tree shaped like procfs with one process in it. */
export function fakeProc(root: string, one: FakeProcess): void {
  const { pid, tid = pid, nspid = [pid, 1], uid = 1000, gid = 1000, comm = 'victim' } = one
  const process = join(root, String(pid))
  const thread = tid === pid ? process : join(process, 'task', String(tid))
  mkdirSync(thread, { recursive: true })
  writeFileSync(join(root, 'stat'), `cpu  1 2 3\nbtime ${BOOT_TIME}\nprocesses 9\n`)
  const fields = Array.from({ length: 30 }, (_, index) => index + 4)
  fields[18] = one.startTicks ?? 12_345
  writeFileSync(join(process, 'stat'), `${pid} (${comm}) S ${fields.join(' ')}\n`)
  const dumping = (one.coreDumping ?? true) ? '1' : '0'
  const status = [
    `Name:\t${comm}`,
    'State:\tS (sleeping)',
    `Tgid:\t${pid}`,
    `Pid:\t${tid}`,
    `Uid:\t${uid}\t${uid}\t${uid}\t${uid}`,
    `Gid:\t${gid}\t${gid}\t${gid}\t${gid}`,
    `NStgid:\t${nspid.join('\t')}`,
    `NSpid:\t${[tid, 99].slice(0, nspid.length).join('\t')}`,
    `CoreDumping:\t${dumping}`,
  ]
  writeFileSync(join(thread, 'status'), `${status.join('\n')}\n`)
  writeFileSync(join(thread, 'cgroup'), one.cgroup ?? '0::/\n')
  writeFileSync(join(thread, 'cmdline'), 'victim\0--flag\0')
  symlinkSync('/usr/bin/victim', join(thread, 'exe'))
  for (const [name, content] of Object.entries(one.files ?? {})) {
    writeFileSync(join(thread, name), content)
  }
  if (one.pidfdNames !== undefined) {
    mkdirSync(join(root, 'self/fdinfo'), { recursive: true })
    const info = `pos:\t0\nflags:\t02000002\nPid:\t${one.pidfdNames}\nNSpid:\t${one.pidfdNames}\n`
    writeFileSync(join(root, 'self/fdinfo/3'), info)
  }
}
