import type { Stats } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import type { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { CliError, codeOf, messageOf } from '../error.ts'
import { show } from '../output/output.ts'

/** An object of a store. */
export interface StoredObject {
  /** Below the store's prefix, with `/` between its parts. */
  readonly key: string
  readonly bytes: number
  readonly modified: Date
  /** Of this content; a later read of another content fails. */
  readonly etag?: string
}

/** A bucket and prefix, or a directory, read only. Every method rejects with `CliError`. */
export interface Store {
  /** `s3://bucket/prefix/` or `file:///directory/`. */
  readonly url: string
  list(): AsyncIterable<StoredObject>
  /** Undefined when there is no such object. */
  find(key: string): Promise<StoredObject | undefined>
  /** The bytes from `start` on, `length` of them, at least 1; it may break off, as a connection does. */
  stream(object: StoredObject, start: number, length: number): Promise<Readable>
  close(): void
}

/** Bundles in a directory and below it; hidden files and links are none. */
export class DirectoryStore implements Store {
  readonly url: string
  readonly #root: string

  constructor(root: string) {
    this.#root = root
    this.url = pathToFileURL(join(root, sep)).href
  }

  async *list(): AsyncGenerator<StoredObject> {
    const entries = await attempt('list', this.#root, () =>
      readdir(this.#root, { recursive: true, withFileTypes: true }),
    )
    for (const entry of entries) {
      if (!entry.isFile()) continue
      const key = relative(this.#root, join(entry.parentPath, entry.name)).split(sep).join('/')
      // another process may remove files meanwhile
      const object = await this.find(key)
      if (object !== undefined) yield object
    }
  }

  async find(key: string): Promise<StoredObject | undefined> {
    const path = this.#path(key)
    let stats: Stats
    try {
      stats = await stat(path)
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
      throw failure('find', path, error)
    }
    return stats.isFile() ? { key, bytes: stats.size, modified: stats.mtime } : undefined
  }

  async stream({ key }: StoredObject, start: number, length: number): Promise<Readable> {
    const path = this.#path(key)
    const file = await attempt('read', path, () => open(path))
    return file.createReadStream({ start, end: start + length - 1 })
  }

  close(): void {}

  #path(key: string): string {
    return join(this.#root, ...key.split('/'))
  }
}

async function attempt<T>(what: string, path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw failure(what, path, error)
  }
}

function failure(what: string, path: string, cause: unknown): CliError {
  const isGone = codeOf(cause) === 'ENOENT'
  const advice = isGone ? 'check the path' : 'check it and its permissions'
  const message = `Cannot ${what} ${show(path)}: ${messageOf(cause)}; ${advice}`
  return new CliError(isGone ? 'NOT_FOUND' : 'STORE', message, { cause })
}
