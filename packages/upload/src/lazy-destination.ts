import type { Readable } from 'node:stream'
import type {
  Destination,
  GrowingFile,
  GrowingUpload,
  PutOptions,
  PutStreamOptions,
  Stored,
} from './destination.ts'
import { UploadError, isUploadError } from './error.ts'
import { reasonOf, show } from './text.ts'

/** A destination whose modules are read at its first use: a waiting agent does without the SDK's 14 MiB. */
export class LazyDestination implements Destination {
  readonly url: string
  readonly #load: () => Promise<Destination>
  #loaded: Promise<Destination> | undefined

  constructor(url: string, load: () => Promise<Destination>) {
    this.url = url
    this.#load = load
  }

  async put(file: string, key: string, options?: PutOptions): Promise<Stored> {
    return (await this.#use()).put(file, key, options)
  }

  async putStream(
    source: Readable | AsyncIterable<Uint8Array>,
    key: string,
    options?: PutStreamOptions,
  ): Promise<Stored> {
    return (await this.#use()).putStream(source, key, options)
  }

  async putGrowing(file: GrowingFile, key: string): Promise<GrowingUpload> {
    return (await this.#use()).putGrowing(file, key)
  }

  async check(options?: { readonly signal?: AbortSignal }): Promise<void> {
    await (await this.#use()).check(options)
  }

  async abandon(file: string, options?: { readonly signal?: AbortSignal }): Promise<void> {
    await (await this.#use()).abandon(file, options)
  }

  async close(): Promise<void> {
    await (await this.#loaded?.catch(() => undefined))?.close()
  }

  async #use(): Promise<Destination> {
    return (this.#loaded ??= this.#load().catch((cause: unknown) => {
      // out of memory or descriptors: a later attempt may succeed
      this.#loaded = undefined
      throw isUploadError(cause) ? cause : notLoaded(this.url, cause)
    }))
  }
}

function notLoaded(url: string, cause: unknown): UploadError {
  return new UploadError(
    'UNREACHABLE',
    `Cannot load the modules that upload to ${show(url)}: ${reasonOf(cause)}; it is tried again, and if that does not help install it again`,
    { cause, subject: url },
  )
}
