import { readSync } from 'node:fs'
import type { MemoryReader } from './memory.ts'

/**
 * The memory of a live process behind an open `/proc/<pid>/mem`, which stays the caller's. After the
 * process has ended it is empty.
 */
export function processMemory(fd: number): MemoryReader {
  return {
    read(address, length) {
      const buffer = Buffer.allocUnsafe(length)
      let done = 0
      try {
        while (done < length) {
          const read = readSync(fd, buffer, done, length - done, address + done)
          if (read === 0) break
          done += read
        }
      } catch {
        // EIO: no memory from here on
      }
      return buffer.subarray(0, done)
    },
  }
}
