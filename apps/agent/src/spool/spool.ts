import { lstat, readdir, unlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { readBundle, writeRecord } from '@core-dump-handler/bundle'
import { isIngestError } from '@core-dump-handler/ingest'
import type { QueueEvent } from '@core-dump-handler/upload'
import type { Log } from '../log/open-log.ts'
import {
  chooseDrops,
  type DropReason,
  type SpoolFile,
  type SpoolLimits,
  workloadOf,
} from './choose-evictions.ts'
import { type DroppedFacts, recordOfDrops } from './record-evictions.ts'

type Size = Pick<SpoolFile, 'bytes' | 'mtimeMs'>

export interface SpoolOptions {
  readonly limits: SpoolLimits
  readonly log: Log
  readonly onDropped: (reason: DropReason) => void
}

/** Keeps CORE_DIR within limits. A bundle's size is asked once, its content only when something must go. */
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

  /** Told of all that the queue does: what is on its way is never dropped. */
  note(event: QueueEvent): void {
    if (event.type === 'started') this.#busy.add(basename(event.file))
    else if ('file' in event && event.type !== 'progress') this.#busy.delete(basename(event.file))
  }

  /** Not dropped until it is released: somebody is at it. */
  hold(name: string): void {
    this.#busy.add(name)
  }

  /** It may be another one of another size now. */
  release(name: string): void {
    this.#busy.delete(name)
    this.#sizes.delete(name)
  }

  /** Looks once, and drops what must go. Rejects when the directory cannot be read. */
  async look(): Promise<void> {
    await this.#measure()
    if (!this.#isOver()) return
    const files: SpoolFile[] = []
    for (const [name, size] of this.#sizes) {
      files.push({ name, ...size, ...(await this.#know(name)), busy: this.#busy.has(name) })
    }
    const drops = chooseDrops(files, this.#options.limits, Date.now())
    for (const group of Map.groupBy(drops, ({ file }) => file.workload).values()) {
      // one by one: a tenth of all that waits may be thousands
      const told: DroppedFacts[] = []
      for (const drop of group) {
        told.push({ ...drop, facts: await readBundle(this.#path(drop.file.name)) })
      }
      await this.#drop(told)
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

  /** A published bundle does not change unless it is held: only new names are asked for. */
  async #measure(): Promise<void> {
    const sizes = new Map<string, Size>()
    for (const name of await readdir(this.#directory)) {
      if (!name.endsWith('.zip') || name.startsWith('.') || name.includes('\uFFFD')) continue
      const known = this.#sizes.get(name)
      const stats = known ? undefined : await lstat(this.#path(name)).catch(() => undefined)
      if (known) sizes.set(name, known)
      else if (stats?.isFile()) sizes.set(name, { bytes: stats.size, mtimeMs: stats.mtimeMs })
    }
    for (const name of this.#known.keys()) if (!sizes.has(name)) this.#known.delete(name)
    this.#sizes = sizes
  }

  async #know(name: string): Promise<Pick<SpoolFile, 'workload' | 'hasCore'>> {
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const facts = await readBundle(this.#path(name))
    const told = { workload: workloadOf(facts.manifest), hasCore: facts.manifest?.core.bytes !== 0 }
    this.#known.set(name, told)
    return told
  }

  /** First the record, then what it stands for; the other way round only where the disk is full. */
  async #drop(drops: readonly DroppedFacts[]): Promise<void> {
    const { log, onDropped } = this.#options
    const record = recordOfDrops(drops)
    if (record === undefined) return
    const write = async (): Promise<string> => writeRecord(this.#directory, record)
    const file = await write().catch(async (error: unknown) => {
      if (!isIngestError(error) || error.code !== 'NO_SPACE') throw error
      await this.#unlink(drops[0])
      return write()
    })
    for (const drop of drops) {
      await this.#unlink(drop)
      if (drop.file.hasCore) onDropped(drop.reason)
    }
    log.warn({ record: file, bundles: drops.length, reason: drops[0]?.reason }, 'bundles dropped')
  }

  async #unlink(drop: DroppedFacts | undefined): Promise<void> {
    if (drop === undefined) return
    await unlink(this.#path(drop.file.name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
  }

  #path(name: string): string {
    return join(this.#directory, name)
  }
}
