import { cgroupLayers, containerIds, type ProcessSnapshot } from '@core-dump-handler/cri'
import { type Crash, executableOf } from '../crash.ts'

/** What is known of a workload before the runtime is asked. */
export interface Workload {
  /** The uid of its pod, else the id of its container, else `host`; letters, digits, `-` and `_`. */
  readonly scope: string
  readonly exe: string
  readonly signal: string
}

// the kubelet's cgroups at the root of a hierarchy belong to root: no other user can make one there
const KUBELET = /^\/kubepods(\.slice)?\//

/** The crashes that are counted together: those of a pod (or of the host), by executable and signal. */
export function workloadOf(crash: Crash, snapshot: ProcessSnapshot | undefined): Workload {
  const signal = /^\d{1,3}$/.test(crash.signal) ? crash.signal : 'x'
  const scope = scopeOf(snapshot?.cgroup?.toString() ?? '')
  return { scope, exe: executableOf(crash, snapshot), signal }
}

/**
 * The pod of the outermost layer of the cgroup that names one. Where that layer is not the kubelet's
 * own (a node in a container, but also a cgroup that a user made and named after a pod), where it
 * lies is part of the scope: the crashes of such a process must not count for that pod.
 */
function scopeOf(cgroup: string): string {
  for (const { podUid, path } of cgroupLayers(cgroup).flat()) {
    if (podUid === undefined) continue
    return KUBELET.test(path) ? podUid : `${podUid.replaceAll('-', '')}_${checksum(path)}`
  }
  return containerIds(cgroup)[0] ?? 'host'
}

/** The crashes that share slots fairly: those of a pod, of a container, or of one host program. */
export function fairnessScope({ scope, exe }: Workload, { exeName }: Crash): string {
  return scope === 'host' ? `host ${exe} ${exeName}` : scope
}

/**
 * Names of a counter of this workload, most precise first: of the executable, of all executables
 * of the pod, of all pods. The process chooses its executable and can collide with another of its own
 * pod only, so a checksum will do.
 */
export function counterNames({ scope, exe, signal }: Workload): readonly string[] {
  return [`${scope}-${signal}-${checksum(exe)}`, `${scope}-${signal}-any`, 'any-x-any']
}

/** FNV-1a, 32 bits: node:zlib and node:crypto are not loaded while the process is held. */
function checksum(text: string): string {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}
