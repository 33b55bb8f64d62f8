import { Readable } from 'node:stream'
import {
  crc32,
  createInflateRaw,
  createZstdDecompress,
  inflateRawSync,
  zstdDecompressSync,
} from 'node:zlib'
import { ENTRY } from '@core-dump-handler/bundle'
import { fromRandomAccessReaderPromise, RandomAccessReader, type Entry, type ZipFile } from 'yauzl'
import { CliError, messageOf } from '../error.ts'
import { escapeName, show } from '../output/output.ts'
import type { Store, StoredObject } from '../store/store.ts'
import { readBytes, readRange } from './read-range.ts'

const MAX_ENTRIES = 1000
/** Compression methods, APPNOTE 4.4.5. */
const METHOD = { store: 0, deflate: 8, zstd: 93 } as const
/**
 * What yauzl reads first: the longest comment of a zip, its end record and the Zip64 locator. The central
 * directory and the manifest are in it too, for all but the largest bundles.
 */
const WINDOW_BYTES = 65_535 + 22 + 20

/** An entry as the central directory has it, APPNOTE 4.3.12. */
export interface ArchiveEntry {
  readonly fileName: string
  readonly compressedSize: number
  readonly uncompressedSize: number
  readonly compressionMethod: number
  readonly crc32: number
}

/** A stored bundle as a zip, of which only the directory has been read. */
export class Archive {
  readonly object: StoredObject
  readonly #entries: readonly Entry[]
  /** What all names of entries begin with. */
  readonly name: string
  readonly #store: Store
  readonly #reader: RangeReader
  readonly #zip: ZipFile

  private constructor(
    store: Store,
    object: StoredObject,
    reader: RangeReader,
    zip: ZipFile,
    entries: readonly Entry[],
  ) {
    this.object = object
    this.#entries = entries
    this.#store = store
    this.#reader = reader
    this.#zip = zip
    const [first, last] = [entries[0]?.fileName ?? '', entries.at(-1)?.fileName ?? '']
    this.name =
      without(last, ENTRY.manifest) ?? without(first, ENTRY.dumpInfo) ?? baseName(object.key)
  }

  get entries(): readonly ArchiveEntry[] {
    return this.#entries
  }

  /** @throws CliError `DAMAGED` when the object is no bundle, `STORE` when it cannot be read */
  static async open(store: Store, object: StoredObject): Promise<Archive> {
    const reader = new RangeReader(store, object)
    try {
      const zip = await fromRandomAccessReaderPromise(reader, object.bytes, { autoClose: false })
      const entries: Entry[] = []
      for await (const entry of zip.eachEntry()) {
        if (entries.push(entry) > MAX_ENTRIES) throw new Error(`more than ${MAX_ENTRIES} entries`)
      }
      if (!entries.some(isOfBundle)) throw new Error('it has no manifest and no dump-info')
      return new Archive(store, object, reader, zip, entries)
    } catch (cause) {
      if (cause instanceof CliError) throw cause
      throw damaged(object, messageOf(cause), cause)
    }
  }

  /** The entry whose name is the bundle's with this end. */
  entry(suffix: string): ArchiveEntry | undefined {
    return this.entries.find(({ fileName }) => fileName === this.name + suffix)
  }

  /** The whole content of a small entry, its CRC checked; undefined without such an entry. */
  async text(suffix: string, maxBytes: number): Promise<string | undefined> {
    const entry = this.entry(suffix)
    return entry && (await this.read(entry, maxBytes)).toString('utf8')
  }

  async read(entry: ArchiveEntry, maxBytes: number): Promise<Buffer> {
    const { compressedSize, uncompressedSize, compressionMethod } = entry
    if (Math.max(compressedSize, uncompressedSize) > maxBytes) {
      throw this.#damaged(entry, `it has ${uncompressedSize} bytes, more than ${maxBytes}`)
    }
    const start = await this.dataStart(entry)
    let content: Buffer
    try {
      const stored = await this.#reader.bytes(start, compressedSize)
      content = expandSync(stored, compressionMethod, maxBytes)
    } catch (cause) {
      if (cause instanceof CliError) throw cause
      throw this.#damaged(entry, messageOf(cause), cause)
    }
    if (content.length !== uncompressedSize || crc32(content) !== entry.crc32) {
      throw this.#damaged(entry, 'its size or CRC-32 is not the one in the zip')
    }
    return content
  }

  /** Where the bytes of an entry begin in the object, which has all of them. */
  async dataStart(entry: ArchiveEntry): Promise<number> {
    try {
      const own = this.#entries.find((each) => each === entry)
      if (own === undefined) throw new Error('it is of another zip')
      const header = await this.#zip.readLocalFileHeaderPromise(own, { minimal: true })
      const end = header.fileDataStart + entry.compressedSize
      if (end > this.object.bytes)
        throw new Error(`it ends at byte ${end}, behind the end of the zip`)
      return header.fileDataStart
    } catch (cause) {
      if (cause instanceof CliError) throw cause
      throw this.#damaged(entry, messageOf(cause), cause)
    }
  }

  /** The bytes of an entry as they are stored; it fails with a CliError of the store. */
  async stream(entry: ArchiveEntry, onBytes?: (bytes: number) => void): Promise<Readable> {
    const start = await this.dataStart(entry)
    const place = { store: this.#store, object: this.object, start }
    return Readable.from(readRange({ ...place, length: entry.compressedSize, onBytes }))
  }

  #damaged(entry: ArchiveEntry, reason: string, cause?: unknown): CliError {
    return damaged(this.object, `${escapeName(entry.fileName)}: ${reason}`, cause)
  }
}

/**
 * The content of an entry from its stored bytes; rejects when its size or CRC-32 is not the one in the zip.
 * It never yields more bytes than the zip declares.
 */
export async function* expand(stored: Readable, entry: ArchiveEntry): AsyncGenerator<Buffer> {
  const content = decompressed(stored, entry.compressionMethod)
  let crc = 0
  let bytes = 0
  for await (const chunk of content) {
    if (!Buffer.isBuffer(chunk)) continue
    bytes += chunk.length
    if (bytes > entry.uncompressedSize) throw new Error(`it has more bytes than the zip declares`)
    crc = crc32(chunk, crc)
    yield chunk
  }
  if (bytes < entry.uncompressedSize) {
    throw new Error(`it has ${bytes} bytes and the zip declares ${entry.uncompressedSize}`)
  }
  if (crc !== entry.crc32) throw new Error('its CRC-32 is not the one in the zip')
}

function decompressed(stored: Readable, method: number): Readable {
  if (method === METHOD.store) return stored
  const expander = method === METHOD.deflate ? createInflateRaw() : zstd(method)
  stored.on('error', (error) => expander.destroy(error))
  expander.on('close', () => stored.destroy())
  return stored.pipe(expander)
}

function zstd(method: number): ReturnType<typeof createZstdDecompress> {
  if (method === METHOD.zstd) return createZstdDecompress()
  throw new Error(`compression method ${method} is not supported`)
}

function expandSync(stored: Buffer, method: number, maxOutputLength: number): Buffer {
  if (method === METHOD.store) return stored
  // zlib refuses a limit of 0
  const options = { maxOutputLength: Math.max(1, maxOutputLength) }
  if (method === METHOD.deflate) return inflateRawSync(stored, options)
  if (method === METHOD.zstd) return zstdDecompressSync(stored, options)
  throw new Error(`compression method ${method} is not supported`)
}

function damaged(object: StoredObject, reason: string, cause: unknown): CliError {
  const message = `Cannot read the bundle ${show(object.key)}: ${escapeName(reason)}; \`cdh verify\` names what is damaged`
  return new CliError('DAMAGED', message, { cause })
}

/** Bundles of IBM core-dump-handler 9 have no manifest. */
function isOfBundle({ fileName }: ArchiveEntry): boolean {
  return fileName.endsWith(ENTRY.manifest) || fileName.endsWith(ENTRY.dumpInfo)
}

function without(name: string, suffix: string): string | undefined {
  return name.endsWith(suffix) ? name.slice(0, -suffix.length) : undefined
}

/** The name of a bundle's file without `.zip`. */
export function baseName(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1).replace(/\.zip$/, '')
}

interface Window {
  readonly start: number
  readonly bytes: Buffer
}

/** Reads a stored zip by ranges: its end first, in one request, and more only where that is not enough. */
class RangeReader extends RandomAccessReader {
  readonly #store: Store
  readonly #object: StoredObject
  #window: Promise<Window>

  constructor(store: Store, object: StoredObject) {
    super()
    this.#store = store
    this.#object = object
    const start = Math.max(0, object.bytes - WINDOW_BYTES)
    this.#window = this.#fetch(start, object.bytes - start)
  }

  /** Exactly `length` bytes; small ones only. Rejects where the object has no such bytes. */
  async bytes(start: number, length: number): Promise<Buffer> {
    // a zip may name any place: asking the store for it would look like a failure of the store
    if (start + length > this.#object.bytes) throw new Error(`it has no byte ${start + length}`)
    let window = await this.#window
    if (start < window.start || start + length > window.start + window.bytes.length) {
      const available = Math.min(WINDOW_BYTES, this.#object.bytes - start)
      this.#window = this.#fetch(start, Math.max(length, available))
      window = await this.#window
    }
    return window.bytes.subarray(start - window.start, start - window.start + length)
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.bytes(position, length).then(
      (bytes) => {
        bytes.copy(buffer, offset)
        callback(null)
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error(messageOf(error))),
    )
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from([this.bytes(start, end - start)])
  }

  #fetch(start: number, length: number): Promise<Window> {
    const window = this.#load(start, length)
    // it is awaited later
    window.catch(() => {})
    return window
  }

  async #load(start: number, length: number): Promise<Window> {
    return {
      start,
      bytes: await readBytes({ store: this.#store, object: this.#object, start, length }),
    }
  }
}
