import { access, constants } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { abortable, throwIfAborted } from '../abortable.ts'
import type { Destination, PutOptions, PutStreamOptions, Stored } from '../destination.ts'
import { UploadError } from '../error.ts'
import { fromFileError } from '../file-error.ts'
import { openSource } from '../file-source.ts'
import { hasFreedParts, lostUpload } from '../growing-state.ts'
import { checkKey } from '../key.ts'
import { readRecord, removeRecord } from '../resume-record.ts'
import { removeStaleParts } from './part-file.ts'
import { ensureDirectory } from './publish.ts'
import { putFile } from './put-file.ts'
import { putStream } from './put-stream.ts'

/** Files below one directory, for this user alone. */
export class DirectoryDestination implements Destination {
  readonly url: string
  readonly #root: string
  readonly #tidied = new Set<string>()

  constructor(root: string) {
    this.url = pathToFileURL(root).href
    this.#root = root
  }

  async put(file: string, key: string, options: PutOptions = {}): Promise<Stored> {
    checkKey(key)
    throwIfAborted(options.signal)
    await this.#tidy(key)
    await using source = await openSource(file, options.handle)
    // its upload was to a store: a copy would have holes
    const record = await readRecord(file)
    if (hasFreedParts(source, record)) {
      throw lostUpload(source, `is of another destination, ${record?.store}`)
    }
    // an fsync of gigabytes ignores the signal: it goes on without us, and leaves nothing
    return await abortable(putFile(this.#root, source, key, options), options.signal)
  }

  async putStream(
    source: Readable | AsyncIterable<Uint8Array>,
    key: string,
    options: PutStreamOptions = {},
  ): Promise<Stored> {
    return putStream(this.#root, source, checkKey(key), options)
  }

  async putGrowing(): Promise<never> {
    throw new UploadError('INVALID', `${this.url} takes only files that are finished`)
  }

  async check(): Promise<void> {
    await ensureDirectory(this.#root)
    await access(join(this.#root, '.'), constants.W_OK | constants.X_OK).catch((cause: unknown) => {
      throw fromFileError('target', 'write to', this.#root, cause)
    })
  }

  // a copy is not resumed: a record can only be that of another destination
  async abandon(file: string): Promise<void> {
    await removeRecord(file)
  }

  async close(): Promise<void> {}

  /** Once per directory and run is enough. */
  async #tidy(key: string): Promise<void> {
    const directory = dirname(join(this.#root, key))
    if (this.#tidied.has(directory)) return
    this.#tidied.add(directory)
    await removeStaleParts(directory).catch(() => {})
  }
}
