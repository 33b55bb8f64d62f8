import { textAt } from '../json.ts'
import type { LogTail } from '../log/container-log.ts'
import { type Problem, problem } from '../problem.ts'
import type { Inspection } from '../runtime/runtime.ts'
import { type Asking, complain, complainOf } from './context.ts'
import { before } from './deadline.ts'

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
