import type { Readable } from 'node:stream'
import type { Destination, PutOptions, PutStreamOptions, Stored } from './destination.ts'

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

  async check(options?: { readonly signal?: AbortSignal }): Promise<void> {
    await (await this.#use()).check(options)
  }

  async abandon(file: string, options?: { readonly signal?: AbortSignal }): Promise<void> {
    await (await this.#use()).abandon(file, options)
  }

  async close(): Promise<void> {
    await (await this.#loaded)?.close()
  }

  async #use(): Promise<Destination> {
    return (this.#loaded ??= this.#load())
  }
}
