import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type BundleManifest, readManifest } from '@core-dump-handler/bundle'
import type { WaitingFile } from '@core-dump-handler/upload'
import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { forgetCanary, recentCanaries } from './left-over-canaries.ts'

const CHECK_MS = 500
const MAX_NAMES = 100

/**
 * Keeps the bundle of a canary out of the store where it comes late: after its time limit, or from a
 * composer that outlived the agent which began it. Reads bundles only while a canary is remembered.
 */
export class LateCanaries {
  readonly #settings: Pick<AgentSettings, 'hostDir' | 'coreDir' | 'eventDir'>
  readonly #log: Log
  /** Bundles of other crashes, by name and time; `undefined`: being read. */
  readonly #others = new Map<string, number | undefined>()
  readonly #deleted = new Set<string>()

  constructor(settings: Pick<AgentSettings, 'hostDir' | 'coreDir' | 'eventDir'>, log: Log) {
    this.#settings = settings
    this.#log = log
  }

  /** Whether the bundle of this canary was written, and is deleted. */
  hasDeleted(canary: string): boolean {
    return this.#deleted.has(canary)
  }

  /** Whether a bundle is that of a canary which is tried, or may come late: it is no crash. */
  isCanary(manifest: BundleManifest | undefined): boolean {
    const comm = manifest?.crash.comm
    return comm !== undefined && recentCanaries(this.#settings.hostDir).includes(comm)
  }

  /** For the upload queue: milliseconds to wait before this file may be sent. */
  readonly defer = ({ name, mtimeMs }: WaitingFile): number => {
    const canaries = recentCanaries(this.#settings.hostDir)
    if (canaries.length === 0) {
      this.#others.clear()
      return 0
    }
    const known = this.#others.get(name)
    if (known === mtimeMs) return 0
    if (known !== undefined || !this.#others.has(name)) void this.#check(name, mtimeMs, canaries)
    return CHECK_MS
  }

  async #check(name: string, mtimeMs: number, canaries: readonly string[]): Promise<void> {
    this.#others.set(name, undefined)
    const path = join(this.#settings.coreDir, name)
    const manifest = await readManifest(path)
    const canary = manifest?.crash.comm ?? ''
    if (!canaries.includes(canary)) {
      this.#others.set(name, mtimeMs)
      return
    }
    try {
      await rm(path, { force: true })
      await rm(join(this.#settings.eventDir, `${manifest?.uuid}-event.json`), { force: true })
      if (this.#deleted.size < MAX_NAMES) this.#deleted.add(canary)
      await forgetCanary(this.#settings.hostDir, canary)
      this.#log.info({ file: name }, 'deleted the late bundle of a process that crashed for a test')
    } catch (err) {
      this.#log.warn(
        { file: name, err },
        'cannot delete the bundle of a process that crashed for a test',
      )
    }
    this.#others.delete(name)
  }
}
