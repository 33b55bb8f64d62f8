import type { Writable } from 'node:stream'
import type { ZipSink } from './sink.ts'

/** A sink that cannot seek: bytes are copied into `writable`, and its back-pressure is waited for. */
export function streamSink(writable: Writable): ZipSink {
  return {
    write(chunks) {
      // a copy: whoever reads from a transform may hold our chunks after we have reused them
      const bytes = Buffer.concat(chunks)
      return new Promise<void>((resolve, reject) => {
        const failed = (error?: Error | null): void => {
          writable.off('close', closed)
          if (error) reject(error)
          else resolve()
        }
        const closed = (): void => failed(new Error('the stream was closed'))
        writable.once('close', closed)
        // an error event without a listener would end the process; the callback tells it
        if (writable.listenerCount('error') === 0) writable.on('error', () => {})
        writable.write(bytes, failed)
      })
    },
  }
}
