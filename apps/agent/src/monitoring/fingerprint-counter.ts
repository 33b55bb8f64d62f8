import { Counter, type Registry } from 'prom-client'
import type { BundleManifest } from '@core-dump-handler/bundle'
import { visible } from '../log/redact.ts'

/** Labels come from crashed programs: further fingerprints are `other`. */
const MAX_FINGERPRINTS = 50
/** One that was last seen so long ago makes room for another. */
const FORGET_MS = 24 * 3_600_000
const MAX_PROGRAM = 64
const FINGERPRINT = /^[0-9a-f]{8,64}$/
const OTHER = { fingerprint: 'other', program: '' }

interface Labels {
  readonly fingerprint: string
  readonly program: string
}

/** Counts crashes by fingerprint, in at most 50 series and one for all others. */
export class FingerprintCounter {
  readonly #counter: Counter
  /** Those that were seen longest ago come first. */
  readonly #known = new Map<string, { readonly labels: Labels; readonly seenMs: number }>()

  constructor(registry: Registry) {
    this.#counter = new Counter({
      name: 'core_dump_fingerprint_crashes_total',
      help: 'Crashes whose bundle was found on this node and has a report, by fingerprint and program; at most 50 fingerprints, the rest are `other`.',
      labelNames: ['fingerprint', 'program'],
      registers: [registry],
    })
  }

  /** A crash without a report has no fingerprint and is not counted. */
  count({ crash, fingerprint }: BundleManifest, nowMs = Date.now()): void {
    if (fingerprint === undefined) return
    this.#counter.inc({ ...this.#labelsOf(fingerprint.id, crash, nowMs) })
  }

  #labelsOf(id: string, crash: BundleManifest['crash'], nowMs: number): Labels {
    const known = this.#known.get(id)
    if (known === undefined && (!FINGERPRINT.test(id) || !this.#hasRoom(nowMs))) return OTHER
    // one program for each fingerprint, whatever its file is called: it must stay one series
    const labels = known?.labels ?? { fingerprint: id, program: programOf(crash) }
    this.#known.delete(id)
    this.#known.set(id, { labels, seenMs: nowMs })
    return labels
  }

  #hasRoom(nowMs: number): boolean {
    if (this.#known.size < MAX_FINGERPRINTS) return true
    for (const [id, { labels, seenMs }] of this.#known) {
      if (nowMs - seenMs < FORGET_MS) return false
      this.#known.delete(id)
      this.#counter.remove({ ...labels })
      return true
    }
    return false
  }
}

/** The file name of the executable; a process chooses it. */
function programOf({ exe, comm }: BundleManifest['crash']): string {
  const path = exe?.replace(/ \(deleted\)$/, '') ?? ''
  const name = path.slice(path.lastIndexOf('/') + 1) || (comm ?? '')
  return visible(name.slice(0, MAX_PROGRAM)).slice(0, MAX_PROGRAM).toWellFormed()
}
