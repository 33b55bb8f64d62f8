import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Memory of the heap and of buffers that is in use; a garbage collection is part of it. */
export function retainedBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  // the memory of buffers is freed with the second one
  if (typeof collect === 'function') for (let round = 0; round < 2; round++) collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
