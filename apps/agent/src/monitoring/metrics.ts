import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import {
  type BundleManifest,
  CORE_REASON_CODES,
  type CoreReasonCode,
} from '@core-dump-handler/bundle'

/** Codes come from files: at most so many become labels, the rest are `OTHER`. */
const MAX_CODES = 100

/** Problems by which the agent's own records are known. */
const OWN_RECORDS: ReadonlySet<string> = new Set(['SPOOL_DROPPED', 'RATE_WINDOW'])

/** One of a known set; a bundle of a composer before there was `reasonCode` has it among its problems. */
function reasonOf({ core, problems }: BundleManifest): CoreReasonCode | 'OTHER' {
  const told = CORE_REASON_CODES.find((code) => problems.some((problem) => problem.code === code))
  return core.reasonCode ?? told ?? 'OTHER'
}

/** What `/metrics` tells; names begin with `core_dump_`. */
export class Metrics {
  readonly registry: Registry = new Registry()
  readonly #codes = new Set<string>()

  readonly #crashes = this.#counter('crashes_total', 'Bundles seen, by what they hold.', [
    'outcome',
    'reason',
    'identity',
  ])
  readonly #coreBytes = this.#counter('core_bytes_total', 'Bytes of core in the bundles seen.')
  readonly #drops = this.#counter('drops_total', 'Crashes whose core was not taken.', ['reason'])
  readonly #problems = this.#counter('composer_problems_total', 'Problems noted in bundles.', [
    'code',
  ])
  readonly #held = new Histogram({
    name: 'core_dump_held_seconds',
    help: 'How long a crashed process was held until its memory was copied.',
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    registers: [this.registry],
  })
  readonly uploads: Counter = this.#counter('uploads_total', 'Bundles stored and verified.')
  readonly uploadedBytes: Counter = this.#counter('uploaded_bytes_total', 'Bytes of those bundles.')
  readonly uploadFailures: Counter = this.#counter(
    'upload_failures_total',
    'Attempts to store a bundle that failed, by code of the error.',
    ['code'],
  )
  readonly tampering: Counter = this.#counter(
    'sysctl_tampering_total',
    'Changes of our sysctls by somebody else.',
    ['sysctl'],
  )

  readonly salvages: Counter = this.#counter(
    'salvages_total',
    'Unfinished bundles of composers that died, by what became of them.',
    ['outcome'],
  )

  readonly recompressions: Counter = this.#counter(
    'recompressions_total',
    'Bundles to be compressed in full before they are sent, by what became of them.',
    ['outcome'],
  )
  readonly recompressedBytes: Counter = this.#counter(
    'recompressed_saved_bytes_total',
    'Bytes that this has saved.',
  )

  readonly kernelLogReadable: Gauge = new Gauge({
    name: 'core_dump_kernel_log_readable',
    help: '0: what the kernel itself drops is not known here, and in no figure of drops_total.',
    registers: [this.registry],
  })

  constructor() {
    collectDefaultMetrics({ register: this.registry })
  }

  /** One bundle, seen for the first time. */
  countBundle(manifest: BundleManifest | undefined): void {
    if (manifest === undefined) {
      this.#crashes.inc({ outcome: 'unreadable', reason: '', identity: '' })
      return
    }
    const { core, identity, problems, timings } = manifest
    const codes = problems.map(({ code }) => this.#bounded(code))
    // of crashes counted when they were dropped
    if (codes.some((code) => OWN_RECORDS.has(code))) return
    const outcome = core.complete ? 'complete' : core.bytes > 0 ? 'incomplete' : 'no_core'
    const reason = core.complete ? '' : reasonOf(manifest)
    this.#crashes.inc({ outcome, reason, identity: identity.status })
    if (outcome === 'no_core') this.#drops.inc({ reason })
    this.#coreBytes.inc(core.bytes)
    this.#held.observe(timings.heldMs / 1000)
    for (const code of codes) this.#problems.inc({ code })
  }

  /** Crashes of which there is no bundle of their own. */
  countDrop(reason: string, crashes = 1): void {
    this.#drops.inc({ reason }, crashes)
  }

  /** A value that is read whenever somebody asks. */
  gauge(name: string, help: string, read: () => number): void {
    const gauge = new Gauge({
      name: `core_dump_${name}`,
      help,
      registers: [],
      collect() {
        this.set(read())
      },
    })
    this.registry.registerMetric(gauge)
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name: `core_dump_${name}`, help, labelNames, registers: [this.registry] })
  }

  #bounded(code: string): string {
    if (this.#codes.size < MAX_CODES) this.#codes.add(code)
    return this.#codes.has(code) ? code : 'OTHER'
  }
}
