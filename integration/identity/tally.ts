import type { BundleManifest } from '@core-dump-handler/composer'
import { CRASH_KINDS, isCrashKind, type Crash, type CrashKind } from './crashes.ts'

const OUTCOMES = ['verified', 'unverified', 'host', 'wrong'] as const

/** Number of crashes of a kind by outcome. */
export type Told = Record<(typeof OUTCOMES)[number], number>

/** Compares what bundles tell with whose crashes they truly were. */
export class Tally {
  readonly kinds: ReadonlyMap<CrashKind, Told> = new Map(
    Object.keys(CRASH_KINDS)
      .filter(isCrashKind)
      .map((kind) => [kind, { verified: 0, unverified: 0, host: 0, wrong: 0 }]),
  )
  /** For people: each crash that was given to another owner. */
  readonly wrong: string[] = []
  /** Each that could not be proven though nothing about it gave reason to doubt. */
  readonly doubted: string[] = []

  /** Names of those that no bundle told of. */
  readonly lost: string[] = []

  add(crash: Crash, { identity }: BundleManifest, mayDoubt: boolean): void {
    const told = this.kinds.get(crash.kind)
    if (!told) throw new Error(`no such kind: ${crash.kind}`)
    told[identity.status]++
    const both = `${JSON.stringify(crash)} was told as ${JSON.stringify(identity)}`
    if (!isOwner(crash, identity)) {
      told.wrong++
      this.wrong.push(both)
    } else if (identity.status !== 'verified' && !mayDoubt && !DOUBTFUL.has(crash.kind)) {
      this.doubted.push(both)
    }
  }

  get sum(): Told {
    const sum = { verified: 0, unverified: 0, host: 0, wrong: 0 }
    for (const told of this.kinds.values()) {
      for (const key of OUTCOMES) sum[key] += told[key]
    }
    return sum
  }
}

/** How a run went, for people. */
export function inWords({ sum, lost, doubted }: Tally): string {
  const { verified, unverified, host, wrong } = sum
  const counts = { verified, unverified, host, wrong, lost: lost.length }
  const words = Object.entries(counts).map(([what, count]) => `${count} ${what}`)
  return doubted.length === 0 ? words.join(', ') : `${words.join(', ')}; ${doubted.length} doubted`
}

/** Kinds of which nobody can prove the owner: the runtime does not know it, or the cgroups disagree. */
const DOUBTFUL: ReadonlySet<CrashKind> = new Set(['split', 'root', 'removed'])

/** Whatever is told is true, be it called proven or not; and only `verified` may be silent of nothing. */
function isOwner(crash: Crash, told: BundleManifest['identity']): boolean {
  const named =
    (told.podUid === undefined || told.podUid === crash.podUid) &&
    (told.pod === undefined || told.pod === crash.pod) &&
    (told.namespace === undefined || told.namespace === crash.namespace) &&
    (told.containerId === undefined || told.containerId === crash.containerId)
  if (told.status === 'host') return false
  if (told.status === 'unverified') return named
  return named && [told.podUid, told.pod, told.namespace, told.containerId].every(Boolean)
}
