import type { Writable } from 'node:stream'
import type { ZipSink } from './sink.ts'

/** A sink that cannot seek: bytes are copied into `writable`, and its back-pressure is waited for. */
export function streamSink(writable: Writable): ZipSink {
  let broken: Error | undefined
  // without a listener it would end the process; the write under way, or the next one, tells it
  writable.on('error', (error) => {
    broken = error
  })
  return {
    write(chunks) {
      // a copy: whoever reads from a transform may hold our chunks after we have reused them
      const bytes = Buffer.concat(chunks)
      return new Promise<void>((resolve, reject) => {
        const settle = (error?: Error | null): void => {
          writable.off('close', closed)
          if (error) reject(broken ?? error)
          else resolve()
        }
        const closed = (): void => settle(new Error('the stream was closed'))
        writable.once('close', closed)
        writable.write(bytes, settle)
      })
    },
  }
}
