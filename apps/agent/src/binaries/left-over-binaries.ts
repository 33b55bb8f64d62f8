import { type BigIntStats } from 'node:fs'
import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isBinaryPart } from '@core-dump-handler/bundle'
import { codeOf } from '../error.ts'
import type { Log } from '../log/open-log.ts'
import { WriterWatch, type WriterWatchOptions } from '../salvage/writer-watch.ts'

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
  const names = await readdir(directory).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error
    return []
  })
  for (const name of names.filter(isBinaryPart)) {
    const stats = await lstat(join(directory, name), { bigint: true }).catch(() => undefined)
    if (stats?.isFile()) parts.set(name, stats)
  }
  return parts
}
