import {
  type BundleInfo,
  type CrashRecord,
  type DroppedBundle,
  ENTRY,
} from '@core-dump-handler/bundle'
import { agentVersion } from '../version.ts'
import type { Eviction } from './choose-evictions.ts'

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
