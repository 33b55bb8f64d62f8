import { textAt } from '../json.ts'
import type { LogTail } from '../log/read-tail.ts'
import type { Inspection } from '../runtime/runtime.ts'
import { errnoOf, messageOf } from '../text.ts'
import { type Warning, warning } from '../warning.ts'
import { addError, addWarning, type RuntimeContext } from './context.ts'

type ReadLog = () => Promise<LogTail>

/** Open the log of a container now; the function returned reads it later. */
export async function openLogOf(
  id: string,
  inspection: Inspection | undefined,
  context: RuntimeContext,
): Promise<ReadLog> {
  const { runtime, deadline, logs, options } = context
  const lines = Math.max(0, Math.trunc(options.logLines)) || 0
  if (lines === 0) return () => Promise.resolve({ bytes: Buffer.alloc(0), truncated: false })

  const path = textAt(inspection?.status, 'logPath')
  let failure = warning('LOG_MISSING', `The runtime names no log of container ${id}`)
  if (path !== undefined) {
    try {
      const log = await logs.open(path, id)
      return () => log.tail(lines)
    } catch (error) {
      failure = logWarning(id, path, error)
    }
  }
  try {
    const bytes = await runtime.containerLog(id, lines, deadline)
    if (bytes !== undefined) return () => Promise.resolve({ bytes, truncated: false })
  } catch (error) {
    failure = addError(context, error)
  }
  addWarning(context, failure)
  const { message } = failure
  return () => Promise.reject(new Error(message))
}

function logWarning(id: string, path: string, error: unknown): Warning {
  const code = errnoOf(error) === 'ENOENT' ? 'LOG_MISSING' : 'LOG_UNREADABLE'
  return warning(code, `Cannot open the log of container ${id}, \`${path}\`: ${messageOf(error)}`)
}
