import type { ContainerLog } from '../log/container-log.ts'
import { openContainerLog } from '../log/open.ts'

/** The logs that one look-up holds open. */
export interface OpenLogs {
  /** The log at `path`, opened at the first call, however often it is asked for. */
  open(path: string): Promise<ContainerLog>
  close(): Promise<void>
}

export function createOpenLogs(maxBytes: number): OpenLogs {
  const logs = new Map<string, Promise<ContainerLog>>()
  return {
    open: (path) => {
      const log = logs.get(path) ?? openContainerLog(path, { maxBytes })
      logs.set(path, log)
      // it is opened before anybody asks for it; whoever does hears of the failure
      log.catch(() => {})
      return log
    },
    close: async () => {
      const opened = await Promise.allSettled(logs.values())
      await Promise.all(opened.map(async (log) => log.status === 'fulfilled' && log.value.close()))
    },
  }
}
