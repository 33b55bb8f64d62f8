import type { Readable } from 'node:stream'
import type { Progress } from './destination.ts'
import { UploadError } from './error.ts'

/** Pass a stream on, counting its bytes; more than `maxBytes` or a failing source end it with an `UploadError`. */
export async function* counted(
  source: Readable | AsyncIterable<Uint8Array>,
  maxBytes: number,
  onProgress: (progress: Progress) => void = () => {},
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  try {
    for await (const chunk of source as AsyncIterable<Uint8Array>) {
      bytes += chunk.length
      if (bytes > maxBytes) {
        throw new UploadError(
          'TOO_LARGE',
          `The stream is longer than the ${maxBytes} bytes allowed for it`,
        )
      }
      yield chunk
      onProgress({ bytes })
    }
  } catch (cause) {
    if (cause instanceof UploadError) throw cause
    throw new UploadError('UNREADABLE', 'The stream failed before its end: nothing was stored', {
      cause,
    })
  }
}
