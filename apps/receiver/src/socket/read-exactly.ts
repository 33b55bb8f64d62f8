import { readSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorCode } from '@core-dump-handler/capture'

/** The kernel answers within microseconds, once it gets a CPU. */
const QUICK_TRIES = 20

/**
 * The next `bytes` bytes of a socket that does not block, and not one more: what follows is the core.
 * Undefined at its end, when it fails, and after `timeoutMs`.
 */
export async function readExactly(
  fd: number,
  bytes: number,
  timeoutMs: number,
): Promise<Buffer | undefined> {
  const buffer = Buffer.alloc(bytes)
  const deadlineMs = performance.now() + timeoutMs
  for (let length = 0, tries = 0; length < bytes; tries++) {
    try {
      const read = readSync(fd, buffer, length, bytes - length, null)
      if (read === 0) return undefined
      length += read
    } catch (error) {
      if (errorCode(error) !== 'EAGAIN' || performance.now() > deadlineMs) return undefined
      await (tries < QUICK_TRIES ? new Promise(setImmediate) : sleep(1))
    }
  }
  return buffer
}
