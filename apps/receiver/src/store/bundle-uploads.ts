import { basename } from 'node:path'
import type { BundleUpload, UnfinishedBundle } from '@core-dump-handler/capture'
import { type Destination, keyOf, openDestination } from '@core-dump-handler/upload'
import {
  DESTINATION_VARIABLES,
  parseVariables,
  readDestination,
} from '@core-dump-handler/upload/settings'
import type { Log } from '../log.ts'
import { freeRange } from '../system/libc.ts'

/** What the archive may be longer than its core: all of it stored, and the other entries. */
const ARCHIVE_FACTOR = 1.01
const METADATA_BYTES = 256 * 2 ** 20

/** The store of the variables; loaded, and asked for the first time, when a bundle is sent to it. */
export class BundleUploads {
  readonly #env: Readonly<NodeJS.ProcessEnv>
  readonly #log: Log
  #destination: Destination | undefined
  #isReported = false

  constructor(env: Readonly<NodeJS.ProcessEnv>, log: Log) {
    this.#env = env
    this.#log = log
  }

  /** Begins the upload of a bundle. Rejects where the variables have no store that takes it. */
  async begin({ path, finalPath, uuid, expectedBytes }: UnfinishedBundle): Promise<BundleUpload> {
    this.#destination ??= this.#open()
    const maxBytes = expectedBytes && Math.ceil(expectedBytes * ARCHIVE_FACTOR) + METADATA_BYTES
    const upload = await this.#destination.putGrowing(
      {
        path,
        finalPath,
        uniqueId: uuid,
        free: freeRange,
        ...(maxBytes !== undefined && { maxBytes }),
      },
      keyOf(basename(finalPath)),
    )
    this.#log.write('info', `Sending ${finalPath} to the store while it is written`)
    return upload
  }

  #open(): Destination {
    const { variables, problems } = parseVariables(this.#env, DESTINATION_VARIABLES)
    const { destination, ...read } = readDestination(this.#env, variables)
    for (const { variable, message } of this.#isReported ? [] : [...problems, ...read.problems]) {
      this.#log.write('warn', `${variable}: ${message}`)
    }
    this.#isReported = true
    if (destination === undefined) {
      throw new Error(
        'the receiver has no destination: set DESTINATION or S3_BUCKET_NAME for it too',
      )
    }
    return openDestination(destination.url, { s3: destination.s3 })
  }
}
