/** One container that a line of /proc/<pid>/cgroup leads through. */
export interface CgroupContainer {
  readonly id: string
  /** The pod in whose cgroup it lies, by the path. */
  readonly podUid?: string
}

// an id stands alone; `crio-conmon-<id>` is the monitor beside the container, not in it
const CONTAINER_ID = /(?<![0-9a-f]|crio-conmon-)[0-9a-f]{64}(?![0-9a-f])/g
// systemd's slices turn the dashes into underscores; a static pod's uid, a hash, has none
const POD_UID = /pod([0-9a-f]{8}([-_]?)[0-9a-f]{4}(?:\2[0-9a-f]{4}){2}\2[0-9a-f]{12})(?![0-9a-f])/g

/**
 * The containers of each line, outermost first. Who may write cgroups inside a container can only
 * append below its own path, so what is outer cannot be forged. (A cgroup's name holds no newline.)
 */
export function cgroupLines(cgroup: string): readonly (readonly CgroupContainer[])[] {
  return cgroup.split('\n').map((line) => {
    const pods = [...line.matchAll(POD_UID)]
    let next = 0
    return [...line.matchAll(CONTAINER_ID)].map(({ 0: id, index }) => {
      while ((pods[next]?.index ?? Infinity) < index) next++
      const uid = pods[next - 1]?.[1]
      return uid === undefined ? { id } : { id, podUid: uid.replaceAll('_', '-') }
    })
  })
}

/** Every container id of a /proc/<pid>/cgroup text, outermost first, each once. */
export function containerIds(cgroup: string): readonly string[] {
  const lines = cgroupLines(cgroup)
  const depth = lines.reduce((most, { length }) => Math.max(most, length), 0)
  const byDepth = Array.from({ length: depth }, (_, level) => lines.map((line) => line[level]?.id))
  return [...new Set(byDepth.flat())].filter((id) => id !== undefined)
}

/** The uid of the pod around the outermost container, where the path names one and all lines the same. */
export function podUid(cgroup: string): string | undefined {
  const uids = new Set(cgroupLines(cgroup).flatMap(([outermost]) => outermost?.podUid ?? []))
  return uids.size === 1 ? [...uids][0] : undefined
}
