import type { Writable } from 'node:stream'
import type { ZipSink } from './sink.ts'

/** A sink that cannot seek: bytes are copied into `writable`, its back-pressure is waited for. */
export function streamSink(_writable: Writable): ZipSink {
  throw new Error('not yet')
}
