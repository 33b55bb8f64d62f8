import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { CliError, messageOf } from '../error.ts'
import { show } from '../output/output.ts'
import type { Store, StoredObject } from '../store/store.ts'

const MAX_FAILURES = 5
const FIRST_DELAY_MS = 500

interface Range {
  readonly store: Store
  readonly object: StoredObject
  readonly start: number
  readonly length: number
  /** Called with the bytes of each piece that arrived. */
  readonly onBytes?: ((bytes: number) => void) | undefined
}

/**
 * Exactly `length` bytes of an object. A connection that breaks is opened again where it broke; five failures
 * one after the other, without a byte between them, end it.
 *
 * @throws CliError of the store
 */
export async function* readRange(range: Range): AsyncGenerator<Buffer, void> {
  const { store, object, start, length, onBytes } = range
  let bytes = 0
  let failures = 0
  while (bytes < length) {
    try {
      const stream: Readable = await store.stream(object, start + bytes, length - bytes)
      for await (const chunk of stream) {
        if (!Buffer.isBuffer(chunk)) continue
        // a store that ignores the range sends the whole object, each time
        if (chunk.length > length - bytes) throw failure(range, 'it sent more bytes than asked for')
        bytes += chunk.length
        failures = 0
        onBytes?.(chunk.length)
        yield chunk
      }
      if (bytes < length) throw new Error(`it ended ${length - bytes} bytes too early`)
    } catch (error) {
      failures++
      if (error instanceof CliError && !error.retryable) throw error
      if (failures === MAX_FAILURES) throw asCliError(range, error)
      await sleep(FIRST_DELAY_MS * 2 ** (failures - 1))
    }
  }
}

/** The same in memory; small ranges only. */
export async function readBytes(range: Range): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of readRange(range)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function asCliError(range: Range, cause: unknown): CliError {
  return cause instanceof CliError ? cause : failure(range, messageOf(cause), cause)
}

function failure({ store, object }: Range, reason: string, cause?: unknown): CliError {
  const message = `Cannot read ${show(store.url + object.key)}: ${reason}; check the store, and try again`
  return new CliError('STORE', message, { cause })
}
