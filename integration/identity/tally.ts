import type { BundleManifest } from '@core-dump-handler/bundle'
import { CRASH_KINDS, isCrashKind, type Crash, type CrashKind } from './crashes.ts'

const OUTCOMES = ['verified', 'unverified', 'host', 'wrong'] as const

/** Number of crashes of a kind by outcome. */
export type Outcomes = Record<(typeof OUTCOMES)[number], number>

/** Compares the owners in bundles with the true ones. */
export class Tally {
  readonly kinds: ReadonlyMap<CrashKind, Outcomes> = new Map(
    Object.keys(CRASH_KINDS)
      .filter(isCrashKind)
      .map((kind) => [kind, { verified: 0, unverified: 0, host: 0, wrong: 0 }]),
  )
  /** Each crash with another owner, as text. */
  readonly wrong: string[] = []
  /** Each unverified crash without a reason for it, as text. */
  readonly doubted: string[] = []

  /** Crashes without a bundle. */
  readonly lost: string[] = []

  add(crash: Crash, { identity }: BundleManifest, mayDoubt: boolean): void {
    const outcomes = this.kinds.get(crash.kind)
    if (!outcomes) throw new Error(`no such kind: ${crash.kind}`)
    outcomes[identity.status]++
    const both = `${JSON.stringify(crash)} has the identity ${JSON.stringify(identity)}`
    if (!isOwner(crash, identity)) {
      outcomes.wrong++
      this.wrong.push(both)
    } else if (identity.status !== 'verified' && !mayDoubt && !DOUBTFUL.has(crash.kind)) {
      this.doubted.push(both)
    }
  }

  get sum(): Outcomes {
    const sum = { verified: 0, unverified: 0, host: 0, wrong: 0 }
    for (const outcomes of this.kinds.values()) {
      for (const key of OUTCOMES) sum[key] += outcomes[key]
    }
    return sum
  }
}

/** The results of a run as text. */
export function inWords({ sum, lost, doubted }: Tally): string {
  const { verified, unverified, host, wrong } = sum
  const counts = { verified, unverified, host, wrong, lost: lost.length }
  const words = Object.entries(counts).map(([what, count]) => `${count} ${what}`)
  return doubted.length === 0 ? words.join(', ') : `${words.join(', ')}; ${doubted.length} doubted`
}

/** Kinds whose owner cannot be proven: the runtime does not know it, or the cgroups disagree. */
const DOUBTFUL: ReadonlySet<CrashKind> = new Set(['split', 'root', 'removed'])

/** Each field that is set is true, verified or not, and a verified identity has all of them. */
function isOwner(crash: Crash, identity: BundleManifest['identity']): boolean {
  const named =
    (identity.podUid === undefined || identity.podUid === crash.podUid) &&
    (identity.pod === undefined || identity.pod === crash.pod) &&
    (identity.namespace === undefined || identity.namespace === crash.namespace) &&
    (identity.containerId === undefined || identity.containerId === crash.containerId)
  if (identity.status === 'host') return false
  if (identity.status === 'unverified') return named
  return (
    named &&
    [identity.podUid, identity.pod, identity.namespace, identity.containerId].every(Boolean)
  )
}
