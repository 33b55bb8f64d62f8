import { promisify } from 'node:util'
import { deflateRaw, deflateRawSync } from 'node:zlib'

const deflate = promisify<Uint8Array, { level: number }, Buffer>(deflateRaw)

// below this the thread pool costs more than it gives
const AT_ONCE = 64 * 1024
// 0.8 ms for the first one of a process, whose core may be waiting: more than what it saves is worth
const WORTH_IT = 1024
const LEVEL = 6

/** `data` in the method that makes it smaller: deflate, or as it is. */
export async function pack(data: Uint8Array): Promise<{ method: 0 | 8; packed: Uint8Array }> {
  if (data.length < WORTH_IT) return { method: 0, packed: data }
  const packed =
    data.length <= AT_ONCE
      ? deflateRawSync(data, { level: LEVEL })
      : await deflate(data, { level: LEVEL })
  return packed.length < data.length ? { method: 8, packed } : { method: 0, packed: data }
}
