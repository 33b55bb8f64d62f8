/** A pod or container that a line of /proc/<pid>/cgroup leads through. */
export interface CgroupLayer {
  /** The uid of the pod, or of the pod in whose cgroup the container lies. */
  readonly podUid?: string
  /** Absent where the path leads into the pod's cgroup, but into no container of it. */
  readonly containerId?: string
  /** The path up to and including the container, or the pod. */
  readonly path: string
}

// an id stands alone; `crio-conmon-<id>` is the monitor beside the container, not in it
const CONTAINER_ID = /(?<![0-9a-f]|crio-conmon-)[0-9a-f]{64}(?![0-9a-f])/g
// systemd's slices have underscores for the dashes; a static pod's uid, a hash, has none
const POD_UID = /pod([0-9a-f]{8}([-_]?)[0-9a-f]{4}(?:\2[0-9a-f]{4}){2}\2[0-9a-f]{12})(?![0-9a-f])/
// `hierarchy:controllers:path`; a name may have any character but a newline
const PATH = /^(?:\d*:[^:/]*:)?(.*)$/s

/**
 * The layers of each line of a /proc/<pid>/cgroup text, outermost first. A process can make cgroups
 * below its own only, so it cannot forge a layer outside its own.
 */
export function cgroupLayers(cgroup: string): readonly (readonly CgroupLayer[])[] {
  // the kernel allows no newline in the name of a cgroup
  return cgroup.split('\n').map((line) => layersOf(PATH.exec(line)?.[1] ?? ''))
}

function layersOf(path: string): readonly CgroupLayer[] {
  const layers: CgroupLayer[] = []
  let pod: CgroupLayer | undefined
  let end = 0
  for (const name of path.replace(/ \(deleted\)$/, '').split('/')) {
    end += name.length
    const upToHere = path.slice(0, end++)
    const uid = POD_UID.exec(name)?.[1]
    if (uid !== undefined) {
      if (pod !== undefined) layers.push(pod)
      pod = { podUid: uid.replaceAll('_', '-'), path: upToHere }
    }
    for (const [containerId] of name.matchAll(CONTAINER_ID)) {
      layers.push({ ...pod, containerId, path: upToHere })
      pod = undefined
    }
  }
  return pod === undefined ? layers : [...layers, pod]
}

/** Every container id of a /proc/<pid>/cgroup text, outermost first, each once. */
export function containerIds(cgroup: string): readonly string[] {
  const lines = cgroupLayers(cgroup).map((line) =>
    line.flatMap(({ containerId }) => containerId ?? []),
  )
  const depth = lines.reduce((most, { length }) => Math.max(most, length), 0)
  const byDepth = Array.from({ length: depth }, (_, level) => lines.map((line) => line[level]))
  return [...new Set(byDepth.flat())].filter((id) => id !== undefined)
}

/** The pod of the outermost layer, where it is in one and all lines name the same. */
export function podUid(cgroup: string): string | undefined {
  const uids = new Set(cgroupLayers(cgroup).flatMap(([outermost]) => outermost?.podUid ?? []))
  return uids.size === 1 ? [...uids][0] : undefined
}
