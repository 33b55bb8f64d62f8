import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type {
  Destination,
  GrowingFile,
  GrowingUpload,
  PutOptions,
  PutStreamOptions,
  Stored,
} from './destination.ts'
import { isUploadError, UploadError } from './error.ts'
import { checkS3Options } from './s3/options.ts'
import type { S3Options } from './s3/options.ts'
import { reasonOf, show } from './text.ts'

/** Options of `openDestination`. */
export interface DestinationOptions {
  /** For `s3://` only. */
  readonly s3?: S3Options
}

// stores other than AWS take names of other lengths: the store decides
const S3_URL = /^s3:\/\/([A-Za-z0-9][\w.-]{0,254})(?:\/([^?#]*))?$/

/**
 * The destination at `url`: `s3://bucket/prefix` or `file:/directory`.
 * Opens no connection and loads no SDK before its first use.
 * Throws `UploadError` `INVALID` when the URL or a setting makes no sense.
 */
export function openDestination(url: string, options: DestinationOptions = {}): Destination {
  if (url.startsWith('file:/')) return directory(url)
  const s3 = S3_URL.exec(url)
  if (s3) return bucket(s3[1] ?? '', s3[2] ?? '', options)
  // whatever stands before an @ may be a secret
  const shown = show(url.replace(/\/\/.*@/, '//…@'))
  throw new UploadError(
    'INVALID',
    `${shown} is no destination: expected \`s3://bucket/prefix\` or \`file:/directory\``,
  )
}

function bucket(name: string, path: string, { s3 = {} }: DestinationOptions): Destination {
  checkS3Options(s3)
  const parts = path.split('/').filter((part) => part !== '')
  if (parts.some((part) => part === '.' || part === '..')) {
    throw new UploadError('INVALID', `The prefix ${show(path)} has a \`.\` or \`..\` component`)
  }
  const prefix = parts.map((part) => `${part}/`).join('')
  return new LazyDestination(`s3://${name}/${prefix}`, async () => {
    const { S3Destination } = await import('./s3/destination.ts')
    return new S3Destination(name, prefix, s3)
  })
}

function directory(url: string): Destination {
  let path: string
  try {
    path = fileURLToPath(url)
  } catch (cause) {
    throw new UploadError('INVALID', `${show(url)} is no directory: expected \`file:/directory\``, {
      cause,
    })
  }
  return new LazyDestination(url, async () => {
    const { DirectoryDestination } = await import('./directory/destination.ts')
    return new DirectoryDestination(path)
  })
}

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
