import { type ContainerLog, openContainerLog } from './open-container-log.ts'

/** The logs that one lookup holds open. */
export interface OpenLogs {
  /** The log at `path`; opened once, by the first call. */
  open(path: string): Promise<ContainerLog>
  /** Does not wait for a log whose opening hangs. */
  close(): Promise<void>
}

export function createOpenLogs(maxBytes: number): OpenLogs {
  const logs = new Map<string, Promise<ContainerLog>>()
  const opened: ContainerLog[] = []
  let closed = false

  async function open(path: string): Promise<ContainerLog> {
    const log = await openContainerLog(path, { maxBytes })
    opened.push(log)
    // opened after close()
    if (closed) await log.close()
    return log
  }

  return {
    open: (path) => {
      const log = logs.get(path) ?? open(path)
      logs.set(path, log)
      // a log opened early may fail before a caller awaits it
      log.catch(() => {})
      return log
    },
    close: async () => {
      closed = true
      await Promise.all(opened.map((log) => log.close()))
    },
  }
}
