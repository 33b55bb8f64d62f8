import type { BigIntStats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { BINARIES, nameOfPartFile } from '@core-dump-handler/bundle'
import { isIngestError } from '@core-dump-handler/ingest'
import { LeftOverBinaries } from '../binaries/binary-spool.ts'
import type { CommandContext } from '../context.ts'
import type { Log } from '../log/open-log.ts'
import { type SalvagedPart, salvagePart, type SalvagePartOptions } from './salvage-part.ts'
import { WriterWatch, type WriterWatchOptions } from './writer-watch.ts'

const RESCAN_MS = 30_000
/** While there are files that may soon have no writer. */
const SOON_MS = 5000
const QUIET_MS = 10_000
// the time for a composer to end after its time limit, and as much again for a slow disk
const MARGIN_MS = 60_000

/** Makes bundles of the files of dead composers, and deletes binaries they have not copied whole: at once, and regularly until the signal is aborted. */
export async function salvageBundles(
  { settings, env, log, signal }: CommandContext,
  {
    onSalvaged,
    receiver,
  }: Pick<SalvagerOptions, 'onSalvaged'> & Pick<WriterWatchOptions, 'receiver'>,
): Promise<void> {
  const watch = {
    procRoot: settings.procRoot,
    maxLifeMs: settings.composerTimeoutMs + MARGIN_MS,
    quietMs: QUIET_MS,
    ...(receiver && { receiver }),
  }
  const binaries = new LeftOverBinaries(join(settings.coreDir, BINARIES), watch, log)
  const salvager = new Salvager(settings.coreDir, {
    log,
    signal,
    nodeName: env['NODE_NAME'] ?? hostname(),
    watch,
    onProgress: throttle(signal),
    onSalvaged,
  })
  while (!signal.aborted) {
    const left = (await salvager.scan()) + (await binaries.scan())
    await sleep(left > 0 ? SOON_MS : RESCAN_MS, undefined, { signal, ref: false }).catch(
      () => undefined,
    )
  }
}

const MAX_PAUSE_MS = 1000

/** Await it regularly in long work: it pauses for as long as the work took, so that half of a CPU stays free. */
function throttle(signal: AbortSignal): () => Promise<void> {
  let sinceMs = performance.now()
  return async () => {
    const workedMs = Math.min(performance.now() - sinceMs, MAX_PAUSE_MS)
    await sleep(workedMs, undefined, { signal })
    sinceMs = performance.now()
  }
}

export type Outcome = SalvagedPart['outcome'] | 'failed'

interface SalvagerOptions extends SalvagePartOptions {
  readonly watch: WriterWatchOptions
  readonly log: Log
  /** Called for each file, once for each attempt. */
  readonly onSalvaged: (outcome: Outcome) => void
}

const TEXTS: Readonly<Record<SalvagedPart['outcome'], string>> = {
  whole: 'a composer died after it had finished a bundle: the bundle is published now',
  closed: 'a composer died: what it had written is published as a bundle',
  replaced: 'a composer died and nothing it wrote can be used: a record of the crash is published',
  published: 'a composer died after it had published its bundle: the unfinished name is deleted',
}
/** After n failures in a row a file waits for so many scans, doubled each time. */
const MAX_WAIT_SCANS = 120

/** Makes bundles of the unfinished files of one directory, one at a time. */
export class Salvager {
  readonly #directory: string
  readonly #options: SalvagerOptions
  readonly #watch: WriterWatch
  readonly #failures = new Map<string, { count: number; waitScans: number }>()
  #blind = false

  constructor(directory: string, options: SalvagerOptions) {
    this.#directory = directory
    this.#options = options
    this.#watch = new WriterWatch(options.watch)
  }

  /** Looks once and salvages what it can; resolves with how many files are left. Never rejects. */
  async scan(): Promise<number> {
    try {
      const parts = await listParts(this.#directory)
      for (const name of this.#failures.keys()) if (!parts.has(name)) this.#failures.delete(name)
      for (const name of await this.#watch.abandoned(parts)) {
        if (this.#options.signal.aborted) break
        const stats = parts.get(name)
        if (stats !== undefined && this.#isDue(name)) await this.#salvage(name, stats)
      }
      const left = await listParts(this.#directory)
      this.#blind = false
      return left.size
    } catch (err) {
      // CORE_DIR or the processes of the node cannot be seen
      if (!this.#blind) this.#options.log.warn({ err }, 'cannot look for unfinished bundles')
      this.#blind = true
      return 0
    }
  }

  async #salvage(file: string, stats: BigIntStats): Promise<void> {
    const { log, signal, onSalvaged } = this.#options
    const started = performance.now()
    try {
      const salvaged = await salvagePart(this.#directory, file, stats, this.#options)
      const { outcome, bundle, coreBytes } = salvaged
      const durationMs = Math.round(performance.now() - started)
      log.warn({ file, outcome, bundle, coreBytes, durationMs }, TEXTS[outcome])
      onSalvaged(outcome)
    } catch (err) {
      if (signal.aborted) return
      // another process writes to it, or deleted it
      if (isIngestError(err) && ['CHANGED', 'NOT_FOUND'].includes(err.code)) return
      const count = (this.#failures.get(file)?.count ?? 0) + 1
      this.#failures.set(file, { count, waitScans: Math.min(2 ** count, MAX_WAIT_SCANS) })
      log.error({ file, attempt: count, err }, 'an unfinished bundle cannot be salvaged yet')
      onSalvaged('failed')
    }
  }

  #isDue(name: string): boolean {
    const failure = this.#failures.get(name)
    if (failure === undefined || --failure.waitScans <= 0) return true
    return false
  }
}

/** The unfinished files of a directory: regular ones, no links, pipes and the like; oldest first. */
export async function listParts(directory: string): Promise<ReadonlyMap<string, BigIntStats>> {
  const found: [string, BigIntStats][] = []
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    // a name that is not UTF-8 is not a composer's, and cannot be opened by this one
    if (
      !entry.isFile() ||
      nameOfPartFile(entry.name) === undefined ||
      entry.name.includes('\uFFFD')
    )
      continue
    const stats = await lstat(join(directory, entry.name), { bigint: true }).catch(() => undefined)
    if (stats?.isFile()) found.push([entry.name, stats])
  }
  return new Map(found.toSorted(([, a], [, b]) => (a.mtimeNs < b.mtimeNs ? -1 : 1)))
}
