import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PROCESS_FILES } from '@core-dump-handler/capture'

/** A `/proc` with the files of one process, as of a container's first one. */
export async function scratchProc(root: string, pid: number): Promise<void> {
  const dir = join(root, String(pid))
  await mkdir(dir, { recursive: true })
  for (const file of PROCESS_FILES) await writeFile(join(dir, file), `${file} of ${pid}\n`)
}

/** A `/proc` with one process that is dumping core, in the cgroup and with the NSpid given. */
export async function dumpingProcess(
  root: string,
  pid: number,
  cgroup: string,
  nspid: readonly number[],
): Promise<void> {
  await scratchProc(root, pid)
  const dir = join(root, String(pid))
  const status = [
    'Name:\tweb',
    'State:\tS (sleeping)',
    `Tgid:\t${pid}`,
    `Pid:\t${pid}`,
    'PPid:\t1',
    'Uid:\t1000\t1000\t1000\t1000',
    'Gid:\t1000\t1000\t1000\t1000',
    `NSpid:\t${nspid.join('\t')}`,
    'CoreDumping:\t1',
  ]
  await writeFile(join(dir, 'status'), `${status.join('\n')}\n`)
  // field 22, the start, is 100 s after the boot
  const rest = ['S', 1, ...Array.from({ length: 17 }, () => 0), 10_000, 0, 0]
  await writeFile(join(dir, 'stat'), `${pid} (web) ${rest.join(' ')}\n`)
  await writeFile(join(dir, 'cgroup'), `0::${cgroup}\n`)
  await symlink('/usr/bin/web', join(dir, 'exe'))
  await writeFile(join(root, 'stat'), 'cpu 0 0\nbtime 1699990000\n')
}
