import type { BigIntStats } from 'node:fs'
import { appendFile, lstat, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  formatStoredBinary,
  isBinaryPart,
  isBuildId,
  readStoredBinaries,
  STORED_BINARIES,
} from '@core-dump-handler/bundle'
import { codeOf } from '../error.ts'
import type { Log } from '../log/open-log.ts'
import { WriterWatch, type WriterWatchOptions } from '../salvage/writer-watch.ts'
import type { SpoolLimits } from '../spool/evictions.ts'

/** A binary that waits for its upload. */
export interface WaitingBinary {
  readonly buildId: string
  readonly path: string
  readonly bytes: number
  readonly mtimeMs: number
}

/** Oldest first; empty where there is no such directory. */
export async function listBinaries(directory: string): Promise<WaitingBinary[]> {
  const found: WaitingBinary[] = []
  for (const buildId of (await namesIn(directory)).filter(isBuildId)) {
    const path = join(directory, buildId)
    const stats = await lstat(path).catch(() => undefined)
    if (stats?.isFile() !== true) continue
    found.push({ buildId, path, bytes: stats.size, mtimeMs: stats.mtimeMs })
  }
  return found.toSorted((a, b) => a.mtimeMs - b.mtimeMs)
}

/** Those that the limits of the spool leave no room for beside the bundles: a later crash brings them again. */
export function chooseExcess(
  binaries: readonly WaitingBinary[],
  { maxBytes, maxAgeMs }: SpoolLimits,
  bundleBytes: number,
  nowMs: number,
): WaitingBinary[] {
  let bytes = bundleBytes
  return binaries.filter((binary) => {
    if (maxAgeMs > 0 && binary.mtimeMs < nowMs - maxAgeMs) return true
    if (maxBytes > 0 && bytes + binary.bytes > maxBytes) return true
    bytes += binary.bytes
    return false
  })
}

/** What composer and agent have left of BINARIES=true. */
export async function removeBinaries(directory: string): Promise<void> {
  for (const name of await namesIn(directory)) {
    const isOurs =
      isBuildId(name) || isBinaryPart(name) || name.startsWith(STORED_BINARIES) || isRecord(name)
    if (isOurs) await rm(join(directory, name), { force: true })
  }
}

/** Of an interrupted upload. */
function isRecord(name: string): boolean {
  return /^\.[0-9a-f]+\.upload\.json/.test(name)
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

const MAX_LINES = 10_000
const KEPT_LINES = 5000

/**
 * Remembers which binaries the store has, so that composers do not copy them for each crash: the last 5,000 at
 * least, 10,000 at most. Of another destination nothing is known.
 */
export class StoredBinaries {
  readonly #directory: string
  readonly #path: string
  readonly #heading: string
  #lines: number | undefined

  /** `directory`: `CORE_DIR/binaries`, which exists; `url`: of the destination, without credentials. */
  constructor(directory: string, url: string) {
    this.#directory = directory
    this.#path = join(directory, STORED_BINARIES)
    this.#heading = `${encodeURI(url)}\n`
  }

  /** Forgets what another destination had; to be called before the first upload. */
  async open(): Promise<void> {
    const text = await readFile(this.#path, 'latin1').catch(() => '')
    if (text.startsWith(this.#heading)) this.#lines = text.split('\n').length
    else await this.#write(this.#heading)
  }

  async add(buildId: string): Promise<void> {
    if (this.#lines === undefined) await this.open()
    await appendFile(this.#path, formatStoredBinary(buildId, Date.now()), { mode: 0o600 })
    this.#lines = (this.#lines ?? 1) + 1
    if (this.#lines > MAX_LINES) await this.#shorten()
  }

  async #shorten(): Promise<void> {
    const kept = [...(await readStoredBinaries(this.#directory))].slice(-KEPT_LINES)
    await this.#write(this.#heading + kept.map((line) => formatStoredBinary(...line)).join(''))
  }

  /** By rename: a composer may be reading it. */
  async #write(text: string): Promise<void> {
    const part = `${this.#path}.part`
    await rm(part, { force: true })
    await writeFile(part, text, { mode: 0o600, flag: 'wx' })
    await rename(part, this.#path)
    this.#lines = text.split('\n').length
  }
}

/** Deletes binaries that a composer was copying when it was killed: a later crash brings them again. */
export class LeftOverBinaries {
  readonly #directory: string
  readonly #log: Log
  readonly #watch: WriterWatch

  constructor(directory: string, watch: WriterWatchOptions, log: Log) {
    this.#directory = directory
    this.#log = log
    this.#watch = new WriterWatch(watch)
  }

  /** Looks once; resolves with how many are left. Never rejects. */
  async scan(): Promise<number> {
    try {
      const parts = await listParts(this.#directory)
      const abandoned = await this.#watch.abandoned(parts)
      for (const name of abandoned) {
        await rm(join(this.#directory, name), { force: true })
        this.#log.info({ file: name }, 'a composer died while it copied a binary: deleted')
      }
      return parts.size - abandoned.length
    } catch (err) {
      this.#log.warn({ err }, 'cannot look for binaries that were not copied whole')
      return 0
    }
  }
}

async function listParts(directory: string): Promise<ReadonlyMap<string, BigIntStats>> {
  const parts = new Map<string, BigIntStats>()
  for (const name of (await namesIn(directory)).filter(isBinaryPart)) {
    const stats = await lstat(join(directory, name), { bigint: true }).catch(() => undefined)
    if (stats?.isFile()) parts.set(name, stats)
  }
  return parts
}
