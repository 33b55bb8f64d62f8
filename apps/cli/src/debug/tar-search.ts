import { createWriteStream } from 'node:fs'
import { posix } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Parser, type ReadEntry } from 'tar'
import { localError } from '../bundle/download.ts'
import { MAX_BINARY_BYTES, type BinaryCache, type OnFound } from './binary-sources.ts'
import { isSameBuild, type WantedModule } from './core-modules.ts'

/** Looks for binaries in the tars of an image; nothing of a tar chooses where it is written. */
export class TarSearch {
  readonly #cache: BinaryCache
  readonly #onFound: OnFound
  #byPath: ReadonlyMap<string, readonly WantedModule[]>
  /** Wanted paths that are hard links, by the path of the content. */
  readonly #linked = new Map<string, WantedModule[]>()

  constructor(wanted: readonly WantedModule[], cache: BinaryCache, onFound: OnFound) {
    this.#cache = cache
    this.#onFound = onFound
    this.#byPath = Map.groupBy(wanted, ({ path }) => absolute(path))
  }

  /**
   * Looks for the contents of the hard links that were met; false when there was none. They have gone by: the
   * tars have to be read again.
   */
  followLinks(): boolean {
    this.#byPath = new Map(this.#linked)
    this.#linked.clear()
    return this.#byPath.size > 0
  }

  /** Takes the regular files at the wanted paths. @throws CliError `LOCAL` when one cannot be written */
  async read(tar: Readable): Promise<void> {
    const taken: Promise<void>[] = []
    try {
      await new Promise<void>((resolve, reject) => {
        const parser = new Parser({
          filter: (path) => this.#byPath.has(absolute(path)),
          onReadEntry: (entry) => {
            const taking = this.#take(entry)
            // what this machine does not take ends the reading
            taking.catch(reject)
            taken.push(taking)
          },
        })
        parser.on('end', resolve)
        parser.on('error', reject)
        tar.on('error', reject)
        tar.on('data', (chunk: Buffer) => {
          if (!parser.write(chunk)) tar.pause()
        })
        parser.on('drain', () => tar.resume())
        tar.on('end', () => parser.end())
      })
      await Promise.all(taken)
    } finally {
      tar.destroy()
    }
  }

  async #take(entry: ReadEntry): Promise<void> {
    const modules = this.#byPath.get(absolute(entry.path)) ?? []
    if (entry.type === 'Link' && entry.linkpath !== undefined) {
      const path = absolute(entry.linkpath)
      this.#linked.set(path, [...(this.#linked.get(path) ?? []), ...modules])
    }
    if (entry.type !== 'File' || entry.size > MAX_BINARY_BYTES) {
      entry.resume()
      return
    }
    try {
      const write = (part: string): Promise<void> => pipeline(entry, createWriteStream(part))
      const path = await this.#cache.add(modules, write)
      if (path === undefined) return
      for (const module of modules) {
        if (isSameBuild(path, module)) this.#onFound(module, path)
      }
    } catch (error) {
      throw localError(entry.path, error)
    }
  }
}

function absolute(path: string): string {
  return posix.normalize(`/${path}`)
}
