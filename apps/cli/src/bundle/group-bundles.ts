import type { BundleSummary } from './open-bundle.ts'

/** Crashes at one place of one program. */
export interface BundleGroup {
  /** Absent: bundles without a report, by program and signal. */
  readonly fingerprint?: string
  readonly family?: string
  readonly program?: string
  readonly signal?: string
  readonly topFrame?: string
  readonly count: number
  /** RFC 3339, UTC. */
  readonly first: string
  readonly last: string
  /** `namespace/pod`, without the parts of a name that a Deployment or a DaemonSet adds. */
  readonly workloads: readonly string[]
  readonly nodes: readonly string[]
}

/** A node that may have bad hardware. */
export interface SuspectNode {
  readonly node: string
  /** Fingerprints that no other node has. */
  readonly ownFingerprints: number
  readonly programs: number
}

export interface BundleGroups {
  /** Largest first. */
  readonly groups: readonly BundleGroup[]
  readonly suspectNodes: readonly SuspectNode[]
}

/** A fault of memory or CPU shows as crashes of several programs at places where they crash nowhere else. */
const MIN_OWN_FINGERPRINTS = 5
const MIN_PROGRAMS = 3
/** Times as many as the other nodes have on average. */
const MIN_FACTOR = 4

/** Bundles by fingerprint. */
export function groupBundles(bundles: readonly BundleSummary[]): BundleGroups {
  const groups = [...Map.groupBy(bundles, keyOf).values()].map(groupOf)
  return {
    groups: groups.toSorted((a, b) => b.count - a.count || (a.last < b.last ? 1 : -1)),
    suspectNodes: suspectNodes(bundles),
  }
}

function keyOf({ fingerprint, program, signal }: BundleSummary): string {
  return fingerprint === undefined ? `${program}\0${signal}` : `\0${fingerprint.id}`
}

function groupOf(bundles: readonly BundleSummary[]): BundleGroup {
  const times = bundles.map(({ time }) => time).toSorted()
  const last = bundles.at(-1)
  const signal = last?.signalName ?? last?.signal?.toString()
  return {
    ...(last?.fingerprint && { fingerprint: last.fingerprint.id }),
    ...(last?.fingerprint?.family !== undefined && { family: last.fingerprint.family }),
    ...(last?.program !== undefined && { program: last.program }),
    ...(signal !== undefined && { signal }),
    ...(last?.topFrame !== undefined && { topFrame: last.topFrame }),
    count: bundles.length,
    first: times[0] ?? '',
    last: times.at(-1) ?? '',
    workloads: unique(bundles.map(workloadOf)),
    nodes: unique(bundles.map(({ node }) => node)),
  }
}

function workloadOf({ namespace, pod }: BundleSummary): string | undefined {
  if (pod === undefined) return undefined
  // web-7d9f8b6c5d-x2k4p, node-agent-x2k4p, db-0: the alphabet of generated names has no vowels
  const name = pod
    .replace(/-[bcdfghjklmnpqrstvwxz2456789]{5}$/, '')
    .replace(/-[bcdfghjklmnpqrstvwxz2456789]{8,10}$/, '')
    .replace(/-\d+$/, '')
  return `${namespace ?? '?'}/${name}`
}

function suspectNodes(bundles: readonly BundleSummary[]): SuspectNode[] {
  const known = bundles.filter(({ fingerprint, node }) => fingerprint && node !== undefined)
  const nodesOf = Map.groupBy(known, ({ fingerprint }) => fingerprint?.id)
  const isOwn = ({ fingerprint }: BundleSummary): boolean =>
    new Set(nodesOf.get(fingerprint?.id)?.map(({ node }) => node)).size === 1
  const own = Map.groupBy(known.filter(isOwn), ({ node }) => node ?? '')
  const nodes = unique(known.map(({ node }) => node)).map((node) => ({
    node,
    ownFingerprints: new Set(own.get(node)?.map(({ fingerprint }) => fingerprint?.id)).size,
    programs: new Set(own.get(node)?.map(({ program }) => program)).size,
  }))
  const total = nodes.reduce((sum, { ownFingerprints }) => sum + ownFingerprints, 0)
  return nodes.filter(({ ownFingerprints, programs }) => {
    const others = (total - ownFingerprints) / (nodes.length - 1)
    const enough = ownFingerprints >= MIN_OWN_FINGERPRINTS && programs >= MIN_PROGRAMS
    // one node alone has nothing to be compared with
    return enough && nodes.length > 1 && ownFingerprints >= MIN_FACTOR * others
  })
}

function unique(texts: readonly (string | undefined)[]): string[] {
  return [...new Set(texts.filter((text) => text !== undefined))].toSorted()
}
