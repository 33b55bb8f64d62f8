import { blockingCalls } from '../blocking-calls.ts'
import { type ContainerLog, openContainerLog } from './open-container-log.ts'

/** The logs that one lookup holds open. Their files are used by one call at a time. */
export interface OpenLogs {
  /** The log at `path` of the container `id`; opened once, by the first call. */
  open(path: string, id: string): Promise<ContainerLog>
  /** Does not wait for a file that hangs. */
  close(): Promise<void>
}

// far above what a disk takes that works
const LIMIT_MS = 5000

export function createOpenLogs(maxBytes: number, signal: AbortSignal): OpenLogs {
  const logs = new Map<string, Promise<ContainerLog>>()
  const opened: ContainerLog[] = []
  let closed = false

  async function open(path: string, containerId: string): Promise<ContainerLog> {
    const log = await openContainerLog(path, { maxBytes, containerId })
    opened.push(log)
    // opened after close()
    if (closed) await log.close()
    return log
  }

  async function openInTurn(path: string, id: string): Promise<ContainerLog> {
    const limit = { limitMs: LIMIT_MS, signal }
    const log = await blockingCalls.run(path, () => open(path, id), limit)
    return {
      tail: (lines) => blockingCalls.run(path, () => log.tail(lines), { limitMs: LIMIT_MS }),
      close: () => log.close(),
    }
  }

  return {
    open: (path, id) => {
      const log = logs.get(path) ?? openInTurn(path, id)
      logs.set(path, log)
      // a log opened early may fail before a caller awaits it
      log.catch(() => {})
      return log
    },
    close: async () => {
      closed = true
      for (const log of opened) {
        const closing = blockingCalls.run('a log', () => log.close(), { limitMs: LIMIT_MS })
        await closing.catch(() => {})
      }
    },
  }
}
