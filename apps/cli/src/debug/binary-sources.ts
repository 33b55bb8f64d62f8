import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream, existsSync } from 'node:fs'
import { realpath, mkdir, rename, rm } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { binaryKey, isBuildId } from '@core-dump-handler/bundle'
import pMap from 'p-map'
import type { Store } from '../store/store.ts'
import { download } from '../bundle/download.ts'
import { isSameBuild, type WantedModule } from './core-modules.ts'
import { messageOf } from '../error.ts'

/** No program is longer; a server that sends more is cut off. */
export const MAX_BINARY_BYTES = 4 * 1024 ** 3
const DEBUGINFOD_TIMEOUT_MS = 90_000
/** Files at once. */
const CONCURRENCY = 8

/** Called with each file that was found, and where it is now. */
export type OnFound = (wanted: WantedModule, path: string) => void

/** A place where binaries may be; a file of another build is as if it were not there. */
export interface BinarySource {
  readonly name: string
  find(wanted: readonly WantedModule[], onFound: OnFound): Promise<void>
}

export interface FoundBinary {
  readonly wanted: WantedModule
  /** Absent: not found. */
  readonly path?: string
  /** Name of the source. */
  readonly source?: string
}

/** Asks the sources one after the other for what is still missing; a failure ends its source only. */
export async function findBinaries(
  wanted: readonly WantedModule[],
  sources: readonly BinarySource[],
  onProblem: (message: string) => void,
): Promise<FoundBinary[]> {
  const found = new Map<WantedModule, FoundBinary>()
  for (const source of sources) {
    const missing = wanted.filter((module) => !found.has(module))
    try {
      await source.find(missing, (module, path) => {
        found.set(module, { wanted: module, path, source: source.name })
      })
    } catch (error) {
      onProblem(`Left out ${source.name}: ${messageOf(error)}`)
    }
  }
  return wanted.map((module) => found.get(module) ?? { wanted: module })
}

export function cacheSource(cache: BinaryCache): BinarySource {
  return eachBy('cache', async (wanted) => cache.find(wanted))
}

/** A directory with files at the paths of the process: `/` is this machine. */
export function directorySource(name: string, root: string): BinarySource {
  return eachBy(name, async (wanted) => {
    // the core chose the path: it stays below the root
    const path = join(root, posix.normalize(`/${wanted.path}`))
    return isSameBuild(path, wanted) ? realpath(path) : undefined
  })
}

/** `binaries/<build-id>` beside the bundles, where the agent stores them with BINARIES=true. */
export function bucketSource(store: Store, cache: BinaryCache): BinarySource {
  return eachBy('bucket', async (wanted) => {
    if (wanted.buildId === undefined || !isBuildId(wanted.buildId)) return undefined
    const object = await store.find(binaryKey(wanted.buildId))
    if (object === undefined || object.bytes > MAX_BINARY_BYTES) return undefined
    return cache.add([wanted], (path) =>
      download({ store, object, start: 0, length: object.bytes, path }),
    )
  })
}

/** A server of the debuginfod protocol: `<url>/buildid/<build-id>/executable`. */
export function debuginfodSource(url: string, cache: BinaryCache): BinarySource {
  return eachBy(`debuginfod ${url}`, async (wanted) => {
    if (wanted.buildId === undefined) return undefined
    const file = `${url.replace(/\/+$/, '')}/buildid/${wanted.buildId}/executable`
    const response = await fetch(file, { signal: AbortSignal.timeout(DEBUGINFOD_TIMEOUT_MS) })
    const { body } = response
    if (!response.ok || body === null) {
      await body?.cancel()
      if (response.status === 404) return undefined
      throw new Error(`${file} answered ${response.status}`)
    }
    return cache.add([wanted], (path) =>
      pipeline(Readable.fromWeb(body), limited, createWriteStream(path)),
    )
  })
}

/** A source that is asked for each file by itself; the first failure ends it. */
function eachBy(
  name: string,
  findOne: (wanted: WantedModule) => Promise<string | undefined>,
): BinarySource {
  return {
    name,
    async find(wanted, onFound) {
      const find = async (module: WantedModule): Promise<void> => {
        const path = await findOne(module)
        if (path !== undefined) onFound(module, path)
      }
      await pMap(wanted, find, { concurrency: CONCURRENCY })
    },
  }
}

async function* limited(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (bytes > MAX_BINARY_BYTES)
      throw new Error(`the file has more than ${MAX_BINARY_BYTES} bytes`)
    yield chunk
  }
}

/** Binaries on this machine by their build-ids; each was checked before it came in. */
export class BinaryCache {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = join(directory, 'binaries')
  }

  /** Its path, when it is there and still the right one. */
  find(wanted: WantedModule): string | undefined {
    const path = join(this.#directory, nameOf(wanted))
    return existsSync(path) && isSameBuild(path, wanted) ? path : undefined
  }

  /**
   * Takes what `write` puts into a file, if it is a build that is wanted; resolves with its path, or with
   * undefined when it is another build.
   */
  async add(
    candidates: readonly WantedModule[],
    write: (path: string) => Promise<void>,
  ): Promise<string | undefined> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    const part = join(this.#directory, `.${randomUUID()}.part`)
    try {
      await write(part)
      const wanted = candidates.find((each) => isSameBuild(part, each))
      if (wanted === undefined) return undefined
      const path = join(this.#directory, nameOf(wanted))
      await rename(part, path)
      return path
    } finally {
      await rm(part, { force: true })
    }
  }
}

/** The build-id; of a file without one what it is recognized by. */
function nameOf({ buildId, firstPage }: WantedModule): string {
  return buildId ?? `page-${createHash('sha256').update(firstPage).digest('hex')}`
}
