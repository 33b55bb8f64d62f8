import { lstatSync, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type BundleManifest, readManifest } from '@core-dump-handler/bundle'
import writeFileAtomic from 'write-file-atomic'

const SCAN_MS = 10_000

export interface CrashCounterOptions {
  readonly coreDir: string
  /** Keeps the time up to which bundles were counted, for the next agent. */
  readonly stateFile: string
  /** Whether it may be written: not after `remove`. */
  readonly keepsState: () => Promise<boolean>
  /** Called once for each bundle, also across restarts. */
  readonly onFound: (manifest: BundleManifest | undefined) => void
}

/**
 * Reports each bundle once, when it is found, whether or not it can be uploaded. An earlier agent has
 * reported a bundle that was published (its ctime) no later than the last one which that agent reported.
 */
export class CrashCounter {
  readonly #options: CrashCounterOptions
  readonly #earlierUntilMs: number
  readonly #counted = new Set<string>()
  #countedUntilMs: number
  #scan: Promise<void> | undefined

  constructor(options: CrashCounterOptions) {
    this.#options = options
    this.#earlierUntilMs = readTime(options.stateFile)
    this.#countedUntilMs = this.#earlierUntilMs
  }

  /** Scans now and regularly until the signal is aborted. */
  start(signal: AbortSignal): void {
    if (signal.aborted) return
    const scan = (): void => void this.scan().catch(() => undefined) // CORE_DIR may not be readable yet
    const timer = setInterval(scan, SCAN_MS).unref()
    signal.addEventListener('abort', () => clearInterval(timer), { once: true })
    scan()
  }

  /** Reports a bundle whose upload starts: it may be deleted before the next scan. */
  add(file: string, manifest: Promise<BundleManifest | undefined>): void {
    if (!this.#isNew(basename(file), file)) return
    void manifest.then(this.#options.onFound)
    void this.scan().catch(() => undefined)
  }

  /** Reports all new bundles of CORE_DIR. Rejects where it cannot be read. */
  async scan(): Promise<void> {
    this.#scan ??= this.#scanOnce().finally(() => {
      this.#scan = undefined
    })
    return this.#scan
  }

  async #scanOnce(): Promise<void> {
    const { coreDir, stateFile, keepsState, onFound } = this.#options
    const before = [...this.#counted]
    const names = new Set(await readdir(coreDir))
    for (const name of before) if (!names.has(name)) this.#counted.delete(name)
    for (const name of names) {
      if (name.startsWith('.') || !name.endsWith('.zip')) continue
      const path = join(coreDir, name)
      if (this.#isNew(name, path)) onFound(await readManifest(path))
    }
    const until = this.#countedUntilMs
    if (until <= readTime(stateFile) || !(await keepsState())) return
    await writeFileAtomic(stateFile, `${until}\n`, { mode: 0o600 })
  }

  #isNew(name: string, path: string): boolean {
    if (this.#counted.has(name)) return false
    const stats = lstatSync(path, { throwIfNoEntry: false })
    if (stats?.isFile() !== true) return false
    this.#counted.add(name)
    this.#countedUntilMs = Math.max(this.#countedUntilMs, stats.ctimeMs)
    return stats.ctimeMs > this.#earlierUntilMs
  }
}

/** 0 where there is none. */
function readTime(stateFile: string): number {
  try {
    return Number(readFileSync(stateFile, 'utf8')) || 0
  } catch {
    return 0
  }
}
