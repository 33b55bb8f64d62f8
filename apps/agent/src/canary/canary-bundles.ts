import { readFileSync, statSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type BundleManifest, nameOfPartFile, readManifest } from '@core-dump-handler/bundle'
import type { WaitingFile } from '@core-dump-handler/upload'
import writeFileAtomic from 'write-file-atomic'
import type { Log } from '../log/open-log.ts'
import type { Delivery } from '../monitoring/queue-observer.ts'
import { nodeFiles } from '../node/node-files.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { CANARY } from './let-crash.ts'

/** A composer of a canary does not live longer. */
const RECENT_MS = 3_600_000
const MAX_NAMES = 20

type Directories = Pick<AgentSettings, 'hostDir' | 'coreDir' | 'eventDir'>

/** Writes the name of a canary to the disk before it crashes, so that its bundle is known after a power-off. */
export async function rememberCanary(hostDir: string, canary: string): Promise<void> {
  await writeNames(hostDir, [...rememberedCanaries(hostDir), canary].slice(-MAX_NAMES))
}

/** Call it when no file of this canary can be left. */
export async function forgetCanary(hostDir: string, canary: string): Promise<void> {
  const names = rememberedCanaries(hostDir)
  if (names.includes(canary))
    await writeNames(
      hostDir,
      names.filter((name) => name !== canary),
    )
}

/** Canaries whose bundle may still be written. */
function recentCanaries(hostDir: string): readonly string[] {
  const found = statSync(nodeFiles(hostDir).canaries, { throwIfNoEntry: false })
  const isRecent = found !== undefined && Date.now() - found.mtimeMs < RECENT_MS
  return isRecent ? rememberedCanaries(hostDir) : []
}

/**
 * Deletes the files of canaries of an agent that ended before it could delete them, so that they are
 * not uploaded as crashes. By exact name: a process could choose the name of a canary for its own
 * crash. Reads the bundles in CORE_DIR only where a canary is remembered. One that is not found stays
 * remembered: its composer may be running.
 */
export async function removeLeftOverCanaries(
  { hostDir, coreDir, eventDir }: Directories,
  log: Log,
): Promise<void> {
  const canaries = rememberedCanaries(hostDir)
  const recent = recentCanaries(hostDir)
  const found = new Set<string>()
  if (canaries.length === 0) return
  for (const file of await readdir(coreDir).catch(() => [])) {
    const path = join(coreDir, file)
    const part = nameOfPartFile(file)
    if (part !== undefined) {
      const canary = canaries.find((name) => part.includes(name))
      if (canary === undefined) continue
      found.add(canary)
    } else {
      if (file.startsWith('.') || !file.endsWith('.zip')) continue
      const manifest = await readManifest(path)
      const canary = manifest?.crash.comm ?? ''
      if (!canaries.includes(canary)) continue
      found.add(canary)
      await rm(join(eventDir, `${manifest?.uuid}-event.json`), { force: true })
    }
    await rm(path, { force: true })
    log.info({ file }, 'deleted the left-over of a process that crashed for a test')
  }
  await writeNames(
    hostDir,
    recent.filter((canary) => !found.has(canary)),
  )
}

function rememberedCanaries(hostDir: string): readonly string[] {
  try {
    const text = readFileSync(nodeFiles(hostDir).canaries, 'utf8')
    return text.split('\n').filter((line) => CANARY.test(line))
  } catch {
    return [] // there is none
  }
}

async function writeNames(hostDir: string, names: readonly string[]): Promise<void> {
  const { canaries } = nodeFiles(hostDir)
  if (names.length === 0) await rm(canaries, { force: true })
  else await writeFileAtomic(canaries, `${names.join('\n')}\n`, { mode: 0o600 })
}

const CHECK_MS = 500
const MAX_DELETED = 100

/**
 * Keeps the bundle of a canary out of the store where it comes late: after its time limit, or from a
 * composer that outlived the agent which began it. Reads bundles only while a canary is remembered.
 */
export class LateCanaries {
  readonly #settings: Directories
  readonly #log: Log
  /** Bundles of other crashes, by name and time; `undefined`: being read. */
  readonly #others = new Map<string, number | undefined>()
  readonly #deleted = new Set<string>()

  constructor(settings: Directories, log: Log) {
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
      if (this.#deleted.size < MAX_DELETED) this.#deleted.add(canary)
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

const MAX_DELIVERED = 100

/** Where the bundles of canaries were stored; bundles of other crashes are not listed. */
export class DeliveredCanaries {
  readonly #urls = new Map<string, string>()

  note({ manifest, stored }: Delivery): void {
    const { comm } = manifest.crash
    if (comm === undefined || !CANARY.test(comm)) return
    this.#urls.set(comm, stored.url)
    const [oldest] = this.#urls.keys()
    if (this.#urls.size > MAX_DELIVERED && oldest !== undefined) this.#urls.delete(oldest)
  }

  /** Where the bundle of this canary is; `undefined` while it is not confirmed. */
  find(comm: string): string | undefined {
    return this.#urls.get(comm)
  }
}
