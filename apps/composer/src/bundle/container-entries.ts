import type { ContainerDetails, ProcessSnapshot } from '@core-dump-handler/cri'
import { messageOf } from '../problems.ts'
import type { Task } from '../task.ts'

/** The log tail of a container; as in version 9, '' where there is none. */
export async function readLog(
  container: ContainerDetails,
  { stop, problems }: Task,
): Promise<Uint8Array | string> {
  if (stop.cause) return ''
  try {
    const tail = await Promise.race([container.readLog(), stop.stopped])
    if (tail === undefined) return ''
    if (tail.truncated) {
      const name = container.name ?? container.id
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
