import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface MemoryCgroup {
  /** Write 0 to it to enter. */
  readonly procs: string
  add(pid: number): void
  /** Processes that the kernel has killed in it. */
  kills(): number
  /** The most it had used, page cache included. */
  peakMiB(): number
  /** Once they have all ended. */
  remove(): void
}

const V1 = '/sys/fs/cgroup/memory'

/** A cgroup, version 1 or 2, with a memory limit. */
export function memoryCgroup(mebibytes: number): MemoryCgroup {
  const isV1 = existsSync(join(V1, 'cgroup.procs'))
  const directory = join(isV1 ? V1 : '/sys/fs/cgroup', `cdh-memory-${process.pid}-${mebibytes}`)
  if (!isV1) writeFileSync('/sys/fs/cgroup/cgroup.subtree_control', '+memory')
  mkdirSync(directory)
  const write = (name: string, value: string): void => writeFileSync(join(directory, name), value)
  write(isV1 ? 'memory.limit_in_bytes' : 'memory.max', String(mebibytes * 2 ** 20))
  const procs = join(directory, 'cgroup.procs')
  const events = join(directory, isV1 ? 'memory.oom_control' : 'memory.events')
  const peak = join(directory, isV1 ? 'memory.max_usage_in_bytes' : 'memory.peak')
  return {
    procs,
    add: (pid) => writeFileSync(procs, String(pid)),
    kills: () => Number(/^oom_kill (\d+)$/m.exec(readFileSync(events, 'utf8'))?.[1]),
    peakMiB: () => Number(readFileSync(peak, 'utf8')) / 2 ** 20,
    remove: () => rmdirSync(directory),
  }
}
