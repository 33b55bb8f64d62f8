import { readFileSync } from 'node:fs'
import type { BundleManifest } from '@core-dump-handler/bundle'
import * as v from 'valibot'
import writeFileAtomic from 'write-file-atomic'
import type { Log } from '../log/open-log.ts'
import type { Delivery } from './queue-observer.ts'

const MAX_CRASHES = 20
const MAX_FINGERPRINTS = 500
const MAX_TEXT = 256

const text = v.pipe(v.string(), v.maxLength(MAX_TEXT))
const CRASH = v.object({
  uuid: text,
  time: text,
  program: text,
  signal: text,
  identity: v.picklist(['verified', 'unverified', 'host']),
  /** `<namespace>/<pod>` */
  pod: v.optional(text),
  topFrame: v.optional(text),
  fingerprint: v.optional(text),
  /** Of the bundle, once the store has it. */
  url: v.optional(v.pipe(v.string(), v.maxLength(2048))),
})
const HISTORY = v.object({
  /** The latest last. */
  crashes: v.pipe(v.array(CRASH), v.maxLength(MAX_CRASHES)),
  /** How often each fingerprint was seen; that which was seen last comes last. */
  fingerprints: v.pipe(
    v.array(v.tuple([text, v.pipe(v.number(), v.integer(), v.minValue(1))])),
    v.maxLength(MAX_FINGERPRINTS),
  ),
})

/** A crash as `status` prints it. */
export type SeenCrash = Readonly<v.InferOutput<typeof CRASH>>
type History = Readonly<v.InferOutput<typeof HISTORY>>

export interface CrashHistoryOptions {
  /** Keeps the history for `status` and for the next agent. */
  readonly stateFile: string
  /** Whether it may be written: not after `remove`. */
  readonly keepsState: () => Promise<boolean>
  readonly log: Log
}

/** The last crashes of this node, and how often each of 500 fingerprints was seen; across restarts. */
export class CrashHistory {
  readonly #options: CrashHistoryOptions
  readonly #crashes: SeenCrash[]
  readonly #counts: Map<string, number>
  #isChanged = false
  #isSaving = false

  constructor(options: CrashHistoryOptions) {
    this.#options = options
    const { crashes, fingerprints } = readHistory(options.stateFile)
    this.#crashes = [...crashes]
    this.#counts = new Map(fingerprints)
  }

  /** A bundle that was found for the first time. */
  note(manifest: BundleManifest): void {
    this.#crashes.push(seenCrash(manifest))
    this.#crashes.splice(0, this.#crashes.length - MAX_CRASHES)
    const id = manifest.fingerprint?.id.slice(0, MAX_TEXT)
    if (id !== undefined) {
      const count = (this.#counts.get(id) ?? 0) + 1
      this.#counts.delete(id)
      this.#counts.set(id, count)
      const [oldest] = this.#counts.keys()
      if (this.#counts.size > MAX_FINGERPRINTS && oldest !== undefined) this.#counts.delete(oldest)
    }
    void this.#save()
  }

  /** The store has the bundle. */
  delivered({ manifest, stored }: Delivery): void {
    const uuid = manifest.uuid.slice(0, MAX_TEXT)
    const index = this.#crashes.findLastIndex((crash) => crash.uuid === uuid)
    const crash = this.#crashes[index]
    if (crash === undefined) return
    this.#crashes[index] = { ...crash, url: stored.url.slice(0, 2048) }
    void this.#save()
  }

  /** How often this fingerprint was seen on this node, this time included; 0 without a fingerprint. */
  timesSeen({ fingerprint }: BundleManifest): number {
    if (fingerprint === undefined) return 0
    // 1 where an earlier agent has counted it and could not keep that
    return this.#counts.get(fingerprint.id) ?? 1
  }

  /** One write at a time, and one for all changes meanwhile. */
  async #save(): Promise<void> {
    const { stateFile, keepsState, log } = this.#options
    this.#isChanged = true
    if (this.#isSaving) return
    this.#isSaving = true
    try {
      while (this.#isChanged && (await keepsState())) {
        this.#isChanged = false
        const history: History = { crashes: this.#crashes, fingerprints: [...this.#counts] }
        await writeFileAtomic(stateFile, JSON.stringify(history), { mode: 0o600 })
      }
    } catch (err) {
      log.warn({ err }, 'cannot keep the last crashes for `status`')
    } finally {
      this.#isSaving = false
    }
  }
}

/** What the agent has kept; empty where there is nothing that can be read. */
export function readHistory(stateFile: string): History {
  try {
    return v.parse(HISTORY, JSON.parse(readFileSync(stateFile, 'utf8')))
  } catch {
    return { crashes: [], fingerprints: [] }
  }
}

function seenCrash({ uuid, crash, identity, topFrame, fingerprint }: BundleManifest): SeenCrash {
  const { namespace, pod, status } = identity
  return {
    uuid: short(uuid),
    time: short(crash.time),
    program: short(crash.exe ?? crash.comm ?? ''),
    signal: short(crash.signalName ?? (crash.signal === undefined ? '' : `signal ${crash.signal}`)),
    identity: status,
    ...(pod !== undefined && { pod: short(`${namespace ?? ''}/${pod}`) }),
    ...(topFrame !== undefined && { topFrame: short(topFrame) }),
    ...(fingerprint && { fingerprint: short(fingerprint.id) }),
  }
}

const short = (value: string): string => value.slice(0, MAX_TEXT).toWellFormed()
