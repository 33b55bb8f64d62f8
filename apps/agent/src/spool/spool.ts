import { lstat, readdir, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readBundle, writeRecord } from '@core-dump-handler/bundle'
import { isIngestError } from '@core-dump-handler/ingest'
import type { QueueEvent } from '@core-dump-handler/upload'
import type { CommandContext } from '../context.ts'
import { codeOf } from '../error.ts'
import type { Log } from '../log/open-log.ts'
import {
  chooseEvictions,
  type EvictedBundle,
  type EvictionReason,
  recordOfEvictions,
  type SpoolFile,
  type SpoolLimits,
  workloadOf,
} from './evictions.ts'
import { recordSuppressed } from './record-suppressed.ts'

type Size = Pick<SpoolFile, 'bytes' | 'mtimeMs'>

interface SpoolOptions {
  readonly limits: SpoolLimits
  readonly log: Log
  readonly onDropped: (reason: EvictionReason) => void
}

/** Keeps CORE_DIR within limits. The size of a bundle is read once, its content only when bundles must be evicted. */
export class Spool {
  readonly #directory: string
  readonly #options: SpoolOptions
  readonly #busy = new Set<string>()
  #sizes = new Map<string, Size>()
  #known = new Map<string, Pick<SpoolFile, 'workload' | 'hasCore'>>()

  constructor(directory: string, options: SpoolOptions) {
    this.#directory = directory
    this.#options = options
  }

  /** Call it with each event of the queue: a bundle that is being uploaded is never evicted. */
  note(event: QueueEvent): void {
    if (event.type === 'started') this.#busy.add(basename(event.file))
    else if ('file' in event && event.type !== 'progress') this.#busy.delete(basename(event.file))
  }

  /** Looks once and evicts bundles over the limits. Rejects when the directory cannot be read. */
  async look(): Promise<void> {
    await this.#measure()
    if (!this.#isOver()) return
    const files: SpoolFile[] = []
    for (const [name, size] of this.#sizes) {
      files.push({ name, ...size, ...(await this.#classify(name)), busy: this.#busy.has(name) })
    }
    const evictions = chooseEvictions(files, this.#options.limits, Date.now())
    for (const group of Map.groupBy(evictions, ({ file }) => file.workload).values()) {
      // one after the other: a tenth of all waiting bundles may be thousands
      const evicted: EvictedBundle[] = []
      for (const eviction of group) {
        evicted.push({ ...eviction, facts: await readBundle(this.#path(eviction.file.name)) })
      }
      await this.#evict(evicted)
    }
  }

  #isOver(): boolean {
    const { maxBytes, maxFiles, maxAgeMs } = this.#options.limits
    let bytes = 0
    let oldestMs = Infinity
    for (const size of this.#sizes.values()) {
      bytes += size.bytes
      oldestMs = Math.min(oldestMs, size.mtimeMs)
    }
    return (
      (maxBytes > 0 && bytes > maxBytes) ||
      (maxFiles > 0 && this.#sizes.size > maxFiles) ||
      (maxAgeMs > 0 && oldestMs < Date.now() - maxAgeMs)
    )
  }

  /** A published bundle does not change: only the sizes of new names are read. */
  async #measure(): Promise<void> {
    const sizes = new Map<string, Size>()
    for (const name of await readdir(this.#directory)) {
      if (!name.endsWith('.zip') || name.startsWith('.') || name.includes('\uFFFD')) continue
      const known = this.#sizes.get(name)
      const stats = known ? undefined : await lstat(this.#path(name)).catch(() => undefined)
      if (known) sizes.set(name, known)
      else if (stats?.isFile()) {
        // what the store has of a core already takes no space here
        const bytes = Math.min(stats.size, stats.blocks * 512)
        sizes.set(name, { bytes, mtimeMs: stats.mtimeMs })
      }
    }
    for (const name of this.#known.keys()) if (!sizes.has(name)) this.#known.delete(name)
    this.#sizes = sizes
  }

  async #classify(name: string): Promise<Pick<SpoolFile, 'workload' | 'hasCore'>> {
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const facts = await readBundle(this.#path(name))
    const kind = { workload: workloadOf(facts.manifest), hasCore: facts.manifest?.core.bytes !== 0 }
    this.#known.set(name, kind)
    return kind
  }

  /** Writes the record before it deletes the bundles; where the disk is full, deletes one bundle first. */
  async #evict(evicted: readonly EvictedBundle[]): Promise<void> {
    const { log, onDropped } = this.#options
    const record = recordOfEvictions(evicted)
    if (record === undefined) return
    const write = async (): Promise<string> => writeRecord(this.#directory, record)
    const file = await write().catch(async (error: unknown) => {
      if (!isIngestError(error) || error.code !== 'NO_SPACE') throw error
      await this.#unlink(evicted[0])
      return write()
    })
    for (const bundle of evicted) {
      await this.#unlink(bundle)
      if (bundle.file.hasCore) onDropped(bundle.reason)
    }
    log.warn(
      { record: file, bundles: evicted.length, reason: evicted[0]?.reason },
      'bundles deleted to keep CORE_DIR within its limits; a record lists them',
    )
  }

  async #unlink(bundle: EvictedBundle | undefined): Promise<void> {
    if (bundle === undefined) return
    await unlink(this.#path(bundle.file.name)).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error
    })
  }

  #path(name: string): string {
    return join(this.#directory, name)
  }
}

const EVERY_MS = 10_000

/** The limits of the spool while they are enforced. */
interface RunningSpool {
  readonly onQueueEvent: (event: QueueEvent) => void
  readonly ended: Promise<void>
}

/** Keeps CORE_DIR within its limits and records suppressed crashes, until the signal is aborted. */
export function keepSpool(
  { settings, env, log, signal }: CommandContext,
  onDropped: (reason: string, crashes: number) => void,
): RunningSpool {
  const { coreDir, hostDir, spool: limits } = settings
  const isLimited = Object.values(limits).some((limit) => limit > 0)
  const spool = new Spool(coreDir, { limits, log, onDropped: (reason) => onDropped(reason, 1) })
  const nodeName = env['NODE_NAME'] ?? hostname()
  const onSuppressed = (crashes: number): void => onDropped('CORE_SUPPRESSED', crashes)
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    await work().catch((err: unknown) => log.error({ err }, `${what}; will be tried again`))
  }
  const keep = async (): Promise<void> => {
    while (!signal.aborted) {
      if (isLimited) await attempt('cannot keep CORE_DIR within its limits', () => spool.look())
      await attempt('cannot record suppressed crashes', () =>
        recordSuppressed({ hostDir, coreDir, nodeName, onSuppressed }),
      )
      await sleep(EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }
  return {
    onQueueEvent: (event) => spool.note(event),
    ended: keep(),
  }
}
