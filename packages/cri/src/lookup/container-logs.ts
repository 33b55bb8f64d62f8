import { textAt } from '../json.ts'
import { type ContainerLog, openContainerLog } from '../log/open-container-log.ts'
import type { LogTail } from '../log/read-tail.ts'
import { type Problem, problem } from '../warning.ts'
import type { Inspection } from '../runtime/runtime.ts'
import { before } from '../time-limit.ts'
import { type Asking, complain, complainOf } from './context.ts'

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

type ReadLog = () => Promise<LogTail>

/** Open the log of a container now; what is returned reads it later. */
export async function openLogOf(
  id: string,
  inspection: Inspection | undefined,
  asking: Asking,
): Promise<ReadLog> {
  const { runtime, deadline, logs, options } = asking
  const lines = Math.max(0, Math.trunc(options.logLines)) || 0
  if (lines === 0) return () => Promise.resolve({ bytes: Buffer.alloc(0), truncated: false })

  const path = textAt(inspection?.status, 'logPath')
  let why = problem('LOG_MISSING', `The runtime names no log of container ${id}`)
  if (path !== undefined) {
    try {
      const log = await before(deadline.signal, logs.open(path))
      return () => log.tail(lines)
    } catch (error) {
      why = problemOfLog(id, path, error)
    }
  }
  try {
    const bytes = await runtime.containerLog(id, lines, deadline)
    if (bytes !== undefined) return () => Promise.resolve({ bytes, truncated: false })
  } catch (error) {
    why = complainOf(asking, error)
  }
  complain(asking, why)
  const { message } = why
  return () => Promise.reject(new Error(message))
}

function problemOfLog(id: string, path: string, error: unknown): Problem {
  const reason = error instanceof Error ? error.message : String(error)
  const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
  const message = `Cannot open the log of container ${id}, \`${path}\`: ${reason}`
  return problem(isMissing ? 'LOG_MISSING' : 'LOG_UNREADABLE', message)
}
