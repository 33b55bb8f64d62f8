import { once } from 'node:events'
import { createServer } from 'node:net'
import { stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorCode } from '../text.ts'

const RETRY_MS = 250

/**
 * Waits until no other capture of this node copies to `directory`; resolves with what ends that, or with
 * undefined after `timeoutMs`. The lock is the name of an abstract socket, unix(7), which the kernel frees when
 * its process dies.
 */
export async function lockCopying(
  directory: string,
  timeoutMs: number,
): Promise<(() => void) | undefined> {
  const { dev, ino } = await stat(directory)
  const path = `\0core-dump-handler/binaries/${dev}:${ino}`
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    const unlock = await listen(path)
    if (unlock !== undefined || performance.now() >= deadlineMs) return unlock
    await sleep(RETRY_MS)
  }
}

async function listen(path: string): Promise<(() => void) | undefined> {
  const server = createServer((socket) => socket.destroy())
  server.listen(path)
  try {
    await once(server, 'listening')
    return () => server.close()
  } catch (error) {
    if (errorCode(error) === 'EADDRINUSE') return undefined
    throw error
  }
}
