import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { removeEmptyCgroups } from '@core-dump-handler/testing/kernel/pod-cgroup'

/** What a kubelet writes when it starts, whatever its configuration says. */
const SYSCTLS = [
  'vm/overcommit_memory',
  'vm/panic_on_oom',
  'kernel/panic',
  'kernel/panic_on_oops',
  'kernel/keys/root_maxkeys',
  'kernel/keys/root_maxbytes',
]

/** Fixed places of kubelet, CNI and shims: ours to remove when they were not there before. */
const PLACES = [
  '/var/lib/kubelet',
  '/var/log/containers',
  '/var/log/pods',
  '/var/lib/cni',
  '/run/netns',
  '/run/containerd',
]

/** Remembers what a kubelet changes on the machine; the function puts it back. */
export function rememberNode(): () => void {
  const values = SYSCTLS.map((key): [string, string] => [
    join('/proc/sys', key),
    readFileSync(join('/proc/sys', key), 'utf8'),
  ])
  const absent = PLACES.filter((place) => !existsSync(place))
  const logs = logEntries()
  return () => {
    for (const [path, value] of values)
      if (readFileSync(path, 'utf8') !== value) writeFileSync(path, value)
    for (const place of absent) rmSync(place, { recursive: true, force: true })
    // where they were there before, such as of a run that was killed
    for (const entry of logEntries()) if (!logs.has(entry)) rmSync(entry, { recursive: true })
    globSync('/sys/fs/cgroup/{*/,}kubepods').forEach(removeEmptyCgroups)
  }
}

function logEntries(): ReadonlySet<string> {
  return new Set(globSync('/var/log/{pods,containers}/*'))
}
