import type { ContainerLog } from '../log/container-log.ts'
import { openContainerLog } from '../log/open.ts'

/** The logs that one look-up holds open. */
export interface OpenLogs {
  /** The log at `path`, opened at the first call, however often it is asked for. */
  open(path: string): Promise<ContainerLog>
  /** One whose opening hangs is not waited for. */
  close(): Promise<void>
}

export function createOpenLogs(maxBytes: number): OpenLogs {
  const logs = new Map<string, Promise<ContainerLog>>()
  const opened: ContainerLog[] = []
  let closed = false

  async function open(path: string): Promise<ContainerLog> {
    const log = await openContainerLog(path, { maxBytes })
    opened.push(log)
    // it took too long
    if (closed) await log.close()
    return log
  }

  return {
    open: (path) => {
      const log = logs.get(path) ?? open(path)
      logs.set(path, log)
      // it is opened before anybody asks for it; whoever does hears of the failure
      log.catch(() => {})
      return log
    },
    close: async () => {
      closed = true
      await Promise.all(opened.map((log) => log.close()))
    },
  }
}
