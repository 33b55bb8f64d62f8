import {
  type BundleInfo,
  type BundleManifest,
  type CrashRecord,
  type DroppedBundle,
  ENTRY,
} from '@core-dump-handler/bundle'
import { agentVersion } from '../version.ts'

/** A finished bundle in CORE_DIR. */
export interface SpoolFile {
  readonly name: string
  readonly bytes: number
  readonly mtimeMs: number
  readonly workload: string
  /** False: a record, which costs little and is all there is of its crash. */
  readonly hasCore: boolean
  /** It is being uploaded. */
  readonly busy: boolean
}

/** 0: no limit. */
export interface SpoolLimits {
  readonly maxBytes: number
  readonly maxFiles: number
  readonly maxAgeMs: number
}

export type EvictionReason = 'SPOOL_MAX_BYTES' | 'SPOOL_MAX_FILES' | 'SPOOL_MAX_AGE_HOURS'

interface Eviction {
  readonly file: SpoolFile
  readonly reason: EvictionReason
}

// once over a limit, a tenth below it: so that not every further crash costs a round, and a record
const LOW_WATER = 0.9
/** What the record of a workload's dropped bundles takes. */
const RECORD_BYTES = 4096

/**
 * Chooses what is deleted: cores over the age limit; then, over another limit, the oldest of the
 * workload that has most, cores before records. Never the first core of a workload, nor a busy file.
 */
export function chooseEvictions(
  files: readonly SpoolFile[],
  { maxBytes, maxFiles, maxAgeMs }: SpoolLimits,
  nowMs: number,
): readonly Eviction[] {
  const evictions: Eviction[] = []
  const recorded = new Set<string>()
  const total = { bytes: sum(files), files: files.length }
  const evict = (file: SpoolFile, reason: EvictionReason): void => {
    evictions.push({ file, reason })
    total.bytes -= file.bytes
    total.files--
    if (recorded.has(file.workload)) return
    recorded.add(file.workload)
    total.bytes += RECORD_BYTES
    total.files++
  }
  const groups = groupByWorkload(files)
  if (maxAgeMs > 0) {
    for (const group of groups) {
      for (const file of group.cores.splice(0, countOlder(group.cores, nowMs - maxAgeMs))) {
        evict(file, 'SPOOL_MAX_AGE_HOURS')
      }
    }
  }
  const reduce = (unit: 'bytes' | 'files', limit: number, reason: EvictionReason): void => {
    if (limit === 0 || total[unit] <= limit) return
    const size = (list: readonly SpoolFile[]): number =>
      unit === 'bytes' ? sum(list) : list.length
    for (const kind of ['cores', 'records'] as const) {
      const sizes = new Map(groups.map((group) => [group, size(group.all)]))
      while (total[unit] > limit * LOW_WATER) {
        const group = largest(groups, kind, sizes)
        const file = group?.[kind].shift()
        if (group === undefined || file === undefined) break
        sizes.set(group, (sizes.get(group) ?? 0) - (unit === 'bytes' ? file.bytes : 1))
        evict(file, reason)
      }
    }
  }
  reduce('bytes', maxBytes, 'SPOOL_MAX_BYTES')
  reduce('files', maxFiles, 'SPOOL_MAX_FILES')
  return evictions
}

interface Group {
  readonly all: readonly SpoolFile[]
  /** What may be dropped, oldest first. */
  readonly cores: SpoolFile[]
  readonly records: SpoolFile[]
}

function groupByWorkload(files: readonly SpoolFile[]): Group[] {
  const byAge = files.toSorted((a, b) => a.mtimeMs - b.mtimeMs)
  return [...Map.groupBy(byAge, ({ workload }) => workload).values()].map((all) => {
    const [, ...cores] = all.filter(({ hasCore }) => hasCore)
    const records = all.filter(({ hasCore, busy }) => !hasCore && !busy)
    // one record made of one record would be no gain
    return {
      all,
      cores: cores.filter(({ busy }) => !busy),
      records: records.length > 1 ? records : [],
    }
  })
}

function largest(
  groups: readonly Group[],
  kind: 'cores' | 'records',
  sizes: ReadonlyMap<Group, number>,
): Group | undefined {
  let found: Group | undefined
  for (const group of groups) {
    if (group[kind].length === 0) continue
    if (found === undefined || (sizes.get(group) ?? 0) > (sizes.get(found) ?? 0)) found = group
  }
  return found
}

function countOlder(files: readonly SpoolFile[], mtimeMs: number): number {
  const index = files.findIndex((file) => file.mtimeMs >= mtimeMs)
  return index === -1 ? files.length : index
}

const sum = (files: readonly SpoolFile[]): number =>
  files.reduce((bytes, file) => bytes + file.bytes, 0)

/** Crashes that are kept or dropped together: same image, container and signal; on the host same executable and signal. */
export function workloadOf(manifest: BundleManifest | undefined): string {
  if (manifest === undefined) return 'unreadable'
  const { crash, identity } = manifest
  const { namespace, container, imageRef, image } = identity
  const process = container === undefined ? [identity.status, crash.exe ?? crash.comm] : []
  return JSON.stringify([namespace, container, imageRef ?? image, ...process, crash.signal])
}

export interface EvictedBundle extends Eviction {
  readonly facts: BundleInfo
}

/** A record lists so many bundles at most, the newest; its message has the number of all. */
const MAX_LISTED = 10_000

/** One record for the evicted bundles of a workload: the metadata of the newest, and a list of all. */
export function recordOfEvictions(evictions: readonly EvictedBundle[]): CrashRecord | undefined {
  const newest = evictions.toSorted((a, b) => b.file.mtimeMs - a.file.mtimeMs)[0]
  if (newest === undefined) return undefined
  const all = evictions.flatMap(({ file, reason, facts }): DroppedBundle[] => {
    const { manifest, dropped } = facts
    if (dropped !== undefined) return [...dropped]
    const time = manifest?.crash.time ?? new Date(file.mtimeMs).toISOString()
    const uuid = manifest && { uuid: manifest.uuid }
    return [{ bundle: file.name, ...uuid, time, bytes: file.bytes, reason }]
  })
  const listed = all.toSorted((a, b) => (a.time < b.time ? -1 : 1)).slice(-MAX_LISTED)
  const reasons = [...new Set(all.map(({ reason }) => reason))].join(', ')
  const reason = `Deleted on the node before it was uploaded, with ${all.length - 1} others of its workload: ${reasons}`
  const { manifest, dumpInfo } = newest.facts
  return {
    name: `${newest.file.name.replace(/\.zip$/, '').replace(/(-dropped)(-\d+)?$/, '')}-dropped`,
    manifest: {
      ...(manifest ?? unreadable(newest.file.mtimeMs)),
      problems: [
        ...(manifest?.problems ?? []).filter((problem) => problem.code !== 'SPOOL_DROPPED'),
        { code: 'SPOOL_DROPPED', message: reason },
      ],
    },
    dumpInfo: dumpInfo ?? '{}',
    reason,
    reasonCode: 'SPOOL_DROPPED',
    entries: { [ENTRY.dropped]: `${JSON.stringify(listed, null, 1)}\n` },
  }
}

/** Of an unreadable bundle only the time of its last write is known. */
function unreadable(mtimeMs: number): CrashRecord['manifest'] {
  return {
    composer: agentVersion(),
    crash: { time: new Date(mtimeMs).toISOString() },
    identity: { status: 'unverified', reason: 'the bundle could not be read' },
    timings: { heldMs: 0, lookupMs: 0, totalMs: 0 },
    problems: [],
  }
}
