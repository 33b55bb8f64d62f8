import { randomUUID } from 'node:crypto'
import { access, constants, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { abortable, throwIfAborted } from '../abortable.ts'
import { counted } from '../counted.ts'
import type { Destination, PutOptions, PutStreamOptions, Stored } from '../destination.ts'
import { fromFileError, UploadError } from '../error.ts'
import { openSource } from '../file-source.ts'
import { hasFreedParts, lostUpload } from '../growing-state.ts'
import { appendToKey, checkKey } from '../key.ts'
import { readRecord, removeRecord } from '../resume-record.ts'
import { show } from '../text.ts'
import {
  ensureDirectory,
  newPart,
  publish,
  removeStaleParts,
  writeFully,
  writePart,
} from './part-file.ts'
import { putFile } from './put-file.ts'

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

/** Write a stream of unknown length below `root`; nothing is left of one that breaks off. */
async function putStream(
  root: string,
  source: Readable | AsyncIterable<Uint8Array>,
  key: string,
  { signal, onProgress, maxBytes = Infinity, uniqueId = randomUUID() }: PutStreamOptions,
): Promise<Stored> {
  const target = join(root, key)
  const part = newPart(target)
  await ensureDirectory(dirname(target))
  let bytes = 0
  await writePart(part, async (file) => {
    for await (const chunk of counted(source, maxBytes, onProgress)) {
      throwIfAborted(signal)
      await writeFully(file, chunk, bytes)
      bytes += chunk.length
    }
    throwIfAborted(signal)
    const { size } = await file.stat()
    if (size !== bytes) throw short(part, size, bytes)
  })
  for (const wanted of [key, appendToKey(key, uniqueId)]) {
    const path = join(root, wanted)
    if (!(await publish(part, path))) continue
    const taken = wanted === key ? {} : { takenKey: key }
    return {
      url: pathToFileURL(path).href,
      key: wanted,
      bytes,
      outcome: 'stored',
      parts: 0,
      keptParts: 0,
      ...taken,
    }
  }
  await rm(part, { force: true })
  throw new UploadError('OCCUPIED', `${show(target)} and the name made from it are taken`, {
    subject: target,
  })
}

function short(subject: string, size: number, bytes: number): UploadError {
  return new UploadError(
    'MISMATCH',
    `${show(subject)} has ${size} of ${bytes} bytes: check the disk`,
    {
      subject,
    },
  )
}
