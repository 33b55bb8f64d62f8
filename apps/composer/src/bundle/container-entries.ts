import type { ContainerDetails, ProcessSnapshot } from '@core-dump-handler/cri'
import { messageOf } from '../log/message-of.ts'
import type { Task } from '../task.ts'
import { within } from '../look-up/within.ts'

/** The log tail of a container; as in version 9, '' where there is none. */
export async function readLog(
  container: ContainerDetails,
  { settings, stop, problems }: Task,
): Promise<Uint8Array | string> {
  if (stop.cause) return ''
  const name = container.name ?? container.id
  try {
    const reading = within(settings.criCallTimeoutMs, container.readLog())
    const tail = await Promise.race([reading, stop.stopped])
    if (tail === undefined) {
      if (!stop.cause) problems.add('LOG_UNREADABLE', `Reading the log of \`${name}\` hangs`)
      return ''
    }
    if (tail.truncated) {
      problems.add('LOG_TRUNCATED', `The log of \`${name}\` is longer than what is kept of it`)
    }
    return tail.bytes
  } catch (error) {
    problems.add('LOG_UNREADABLE', messageOf(error))
    return ''
  }
}

/** Of the container's first process; when that is the one that crashed, its own snapshot serves. */
export function initFiles(
  { crashed, initFiles: files, initPid }: ContainerDetails,
  snapshot: ProcessSnapshot | undefined,
): ReadonlyMap<string, Buffer> {
  if (files.size > 0 || !crashed || snapshot === undefined) return files
  const isInit = initPid === snapshot.pid || snapshot.status?.nspid.at(-1) === 1
  return isInit ? snapshot.files : files
}
