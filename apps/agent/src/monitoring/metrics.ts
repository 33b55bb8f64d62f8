import {
  type BundleManifest,
  CORE_REASON_CODES,
  type CoreReasonCode,
} from '@core-dump-handler/bundle'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { BinaryEvent } from '../binaries/binary-uploader.ts'
import { visible } from '../log/redact.ts'

/** Codes come from files: at most so many become labels, the rest are `OTHER`. */
const MAX_CODES = 100

/** Codes of the warnings in the agent's own records. */
const OWN_RECORDS: ReadonlySet<string> = new Set(['SPOOL_DROPPED', 'RATE_WINDOW', 'UPLOAD_LOST'])

/** A record that the agent made of crashes which were counted, or have a bundle, already. */
export function isOwnRecord({ problems }: BundleManifest): boolean {
  return problems.some(({ code }) => OWN_RECORDS.has(code))
}

/** One of a known set; in a bundle of a composer without `reasonCode` it is the code of a warning. */
function reasonOf({ core, problems }: BundleManifest): CoreReasonCode | 'OTHER' {
  const code = CORE_REASON_CODES.find((known) => problems.some((problem) => problem.code === known))
  return core.reasonCode ?? code ?? 'OTHER'
}

/** The metrics of `/metrics`; names begin with `core_dump_`. */
export class Metrics {
  readonly registry: Registry = new Registry()
  readonly #codes = new Set<string>()

  readonly #crashes = this.#counter(
    'crashes_total',
    'Crashes whose bundle was found on this node, by completeness of the core, reason and whether the pod is proven.',
    ['outcome', 'reason', 'identity'],
  )
  readonly #coreBytes = this.#counter(
    'core_bytes_total',
    'Bytes of core dumps, uncompressed, in the bundles found on this node.',
  )
  readonly #drops = this.#counter('drops_total', 'Crashes whose core was not kept, by reason.', [
    'reason',
  ])
  readonly #problems = this.#counter(
    'composer_problems_total',
    'Warnings that composers wrote into bundles, by code.',
    ['code'],
  )
  readonly #fingerprints = new FingerprintCounter(this.registry)
  readonly #held = new Histogram({
    name: 'core_dump_held_seconds',
    help: 'Seconds for which the kernel kept a crashed process until its memory was copied.',
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    registers: [this.registry],
  })
  readonly uploads: Counter = this.#counter(
    'uploads_total',
    'Bundles that were uploaded and verified.',
  )
  readonly uploadedBytes: Counter = this.#counter(
    'uploaded_bytes_total',
    'Bytes of the bundles that were uploaded and verified.',
  )
  readonly uploadFailures: Counter = this.#counter(
    'upload_failures_total',
    'Failed attempts to upload a bundle, by code of the error.',
    ['code'],
  )
  readonly #binaries = this.#counter(
    'binaries_total',
    'Executables and libraries of crashed processes that were uploaded, or that the store had already.',
    ['outcome'],
  )
  readonly #binaryBytes = this.#counter(
    'binary_bytes_total',
    'Bytes of the executables and libraries that were uploaded.',
  )
  readonly #binaryFailures = this.#counter(
    'binary_failures_total',
    'Failed attempts to upload an executable or library, by code of the error.',
    ['code'],
  )
  readonly drift: Counter = this.#counter(
    'sysctl_tampering_total',
    'Changes of the sysctls for core dumps by another program, by sysctl.',
    ['sysctl'],
  )

  readonly salvages: Counter = this.#counter(
    'salvages_total',
    'Unfinished bundles of composers that died, by outcome of the salvage.',
    ['outcome'],
  )

  readonly kernelLogReadable: Gauge = new Gauge({
    name: 'core_dump_kernel_log_readable',
    help: '1: the log of the kernel can be read, so core_dump_drops_total includes the cores that the kernel itself dropped; 0: it does not.',
    registers: [this.registry],
  })

  constructor() {
    collectDefaultMetrics({ register: this.registry })
  }

  /** Counts a bundle that was found for the first time. */
  countBundle(manifest: BundleManifest | undefined): void {
    if (manifest === undefined) {
      this.#crashes.inc({ outcome: 'unreadable', reason: '', identity: '' })
      return
    }
    const { core, identity, problems, timings } = manifest
    // its crashes were counted when they were dropped
    if (isOwnRecord(manifest)) return
    const outcome = core.complete ? 'complete' : core.bytes > 0 ? 'incomplete' : 'no_core'
    const reason = core.complete ? '' : reasonOf(manifest)
    this.#crashes.inc({ outcome, reason, identity: identity.status })
    if (outcome === 'no_core') this.#drops.inc({ reason })
    this.#coreBytes.inc(core.bytes)
    this.#held.observe(timings.heldMs / 1000)
    for (const { code } of problems) this.#problems.inc({ code: this.#bounded(code) })
    this.#fingerprints.count(manifest)
  }

  /** Counts crashes without a bundle of their own. */
  countDrop(reason: string, crashes = 1): void {
    this.#drops.inc({ reason }, crashes)
  }

  /** Adds a value that is read at each request. */
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

  countBinary(event: BinaryEvent): void {
    if (event.type === 'failed') return this.#binaryFailures.inc({ code: event.code })
    this.#binaries.inc({ outcome: event.isNew ? 'uploaded' : 'existing' })
    if (event.isNew) this.#binaryBytes.inc(event.bytes)
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name: `core_dump_${name}`, help, labelNames, registers: [this.registry] })
  }

  #bounded(code: string): string {
    if (this.#codes.size < MAX_CODES) this.#codes.add(code)
    return this.#codes.has(code) ? code : 'OTHER'
  }
}

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
