import { dirname, join } from 'node:path'
import { isCriError } from '../error.ts'
import { numberAt, objectsAt, textAt } from '../json.ts'
import { type CgroupLayer, cgroupLayers } from '../process/cgroup.ts'
import { readProcFile } from '../process/read-proc-file.ts'
import type { Inspection } from '../runtime/runtime.ts'
import type { RuntimeContext } from './context.ts'

/** What the runtime knows of a layer of the cgroup: a container, a pod sandbox, or the pod around them. */
export interface Owner {
  readonly kind: 'container' | 'sandbox' | 'pod'
  /** Of the container or the sandbox. */
  readonly id: string
  readonly inspection: Inspection
  /** The layers that name it, one for each line of the cgroup. */
  readonly layers: readonly CgroupLayer[]
}

type Known = Omit<Owner, 'layers'>

// far above how deep clusters are nested; a process that may make cgroups can make many
const MAX_CALLS = 16
// cgroups at the root of a hierarchy belong to root; no other user can make one there
const KUBELET = /^\/(kubepods|kubepods\.slice)\//
const MAX_CGROUP_BYTES = 262_144

/**
 * The outermost layer of each cgroup line that the runtime knows; usually all lines name the same.
 * An id that the runtime does not know is passed over where it belongs to a cluster around this one.
 * Below a pod it ends the search: it is a container that was removed, and what is inside it was made
 * by its own processes. Rejects when the runtime does not answer for an id, for the same reason.
 */
export async function findOwners(
  lines: readonly (readonly CgroupLayer[])[],
  { runtime, deadline }: RuntimeContext,
): Promise<readonly Owner[]> {
  const known = new Map<string, Promise<Known | undefined>>()
  const owners = new Map<string, Owner>()
  for (const line of lines) {
    for (const layer of line) {
      const key = layer.containerId ?? layer.podUid ?? ''
      if (!known.has(key) && known.size === MAX_CALLS) break
      const answer = known.get(key) ?? ask(layer)
      known.set(key, answer)
      const found = await answer
      if (found !== undefined) {
        const layers = owners.get(key)?.layers ?? []
        owners.set(key, { ...found, layers: [...layers, layer] })
      }
      if (found !== undefined || layer.podUid !== undefined) break
    }
  }
  return [...owners.values()]

  async function ask({ containerId: id, podUid = '' }: CgroupLayer): Promise<Known | undefined> {
    if (id === undefined) return askForPod(podUid)
    const container = await orUndefined(runtime.containerStatus(id, deadline))
    if (container !== undefined) return { kind: 'container', id, inspection: container }
    const sandbox = await orUndefined(runtime.podSandboxStatus(id, deadline))
    return sandbox && { kind: 'sandbox', id, inspection: sandbox }
  }

  async function askForPod(uid: string): Promise<Known | undefined> {
    const pods = objectsAt(await runtime.listPodSandboxes({ uid }, deadline), 'items')
    const pod = pods.find((one) => textAt(one, 'state') === 'SANDBOX_READY') ?? pods[0]
    const id = textAt(pod, 'id')
    if (id === undefined) return undefined
    const sandbox = await orUndefined(runtime.podSandboxStatus(id, deadline))
    return sandbox && { kind: 'pod', id, inspection: sandbox }
  }
}

async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (isCriError(error) && error.code === 'CRI_NOT_FOUND') return undefined
    throw error
  }
}

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
