import { dirname, join } from 'node:path'
import { numberAt, textAt } from '../json.ts'
import { type CgroupLayer, cgroupLayers } from '../process/cgroup.ts'
import { readProcFile } from '../process/read-proc-file.ts'
import type { Inspection } from '../runtime/runtime.ts'
import type { Owner } from './find-owner.ts'

// cgroups at the root of a hierarchy belong to root; no other user can make one there
const KUBELET = /^\/(kubepods|kubepods\.slice)\//
const MAX_CGROUP_BYTES = 262_144

/**
 * Why the cgroup of the crashed process `pid` is not proven to be the one that the runtime gave the
 * owner; undefined where it is. A user with a delegated cgroup, or a container of another runtime,
 * can make cgroups of any name, but only below its own.
 */
export function doubtOfCgroup(owner: Owner, pid: number, procRoot: string): string | undefined {
  const given = givenPath(owner)
  const paths = owner.layers.map(({ path }) => path)
  const other = paths.find((path) => path !== given)
  if (other === undefined) return undefined
  if (given === undefined && paths.every((path) => isOfRoot(path, owner))) return undefined
  const initLayers = layersOfInit(owner.inspection, pid, procRoot)
  if (paths.every((path) => isOfInit(path, owner, initLayers))) return undefined
  const where = given === undefined ? 'is not one of the kubelet' : `is not \`${given}\``
  return `the cgroup of process ${pid}, \`${other}\`, ${where}, the one of ${owner.kind} ${owner.id}`
}

/** The absolute path of the cgroup, where the runtime reports it; of a pod, the one of its sandbox's parent. */
function givenPath({ kind, inspection }: Owner): string | undefined {
  const text = textAt(inspection.info, 'runtimeSpec', 'linux', 'cgroupsPath')
  const path = text === undefined ? undefined : expanded(text)
  return kind === 'pod' && path !== undefined ? dirname(path) : path
}

/** runc's form for systemd, `<slice>:<prefix>:<name>`, as a path; any other is a path already. */
function expanded(cgroupsPath: string): string {
  const [slice, prefix, name] = cgroupsPath.split(':')
  if (slice === undefined || prefix === undefined || name === undefined) {
    return join('/', cgroupsPath)
  }
  const parts = slice === '-.slice' ? [] : slice.replace(/\.slice$/, '').split('-')
  const slices = parts.map((_, index) => `${parts.slice(0, index + 1).join('-')}.slice`)
  const unit = name.endsWith('.slice') ? name : `${prefix === '' ? '' : `${prefix}-`}${name}.scope`
  return join('/', ...slices, unit)
}

function isOfRoot(path: string, { id }: Owner): boolean {
  // Kata puts the hypervisor of a sandbox into /kata_overhead/<id>
  return KUBELET.test(path) || path === `/kata_overhead/${id}`
}

function isOfInit(path: string, { kind, id }: Owner, initLayers: readonly CgroupLayer[]): boolean {
  return initLayers.some((layer) =>
    kind === 'pod'
      ? layer.podUid !== undefined && dirname(layer.path) === path
      : layer.containerId === id && layer.path === path,
  )
}

/** The layers of the owner's first process, unless that is the process whose cgroup is in doubt. */
function layersOfInit(
  { info }: Inspection,
  crashedPid: number,
  procRoot: string,
): readonly CgroupLayer[] {
  const pid = numberAt(info, 'pid') ?? 0
  if (pid <= 0 || pid === crashedPid) return []
  try {
    const { bytes } = readProcFile(join(procRoot, String(pid), 'cgroup'), MAX_CGROUP_BYTES)
    return cgroupLayers(bytes.toString()).flat()
  } catch {
    // it has ended, or the runtime is in another pid namespace
    return []
  }
}
