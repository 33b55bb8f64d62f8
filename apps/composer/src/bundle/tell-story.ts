import type { ContainerDetails, LookUpResult, ProcessSnapshot } from '@core-dump-handler/cri'
import { messageOf } from '../problems.ts'
import type { Task } from '../task.ts'
import type { Bundle } from './open.ts'

/** What was around the crash: version 9's entries in its order, then the crashing process's own files. */
export async function tellStory(
  bundle: Bundle,
  found: LookUpResult,
  snapshot: ProcessSnapshot | undefined,
  asked: boolean,
  task: Task,
): Promise<void> {
  const add = entryAdder(bundle, task)
  if (asked && !task.settings.ignoreCrio) {
    await add('-pod-info.json', json(found.podInfo))
    if (found.podInfo !== undefined) {
      await add('-runtime-info.json', json(found.runtimeInfo))
      await add('-ps-info.json', json(found.psInfo))
      for (const [index, container] of found.containers.entries()) {
        await add(`-${index}.log`, await readLog(container, task))
        await add(`-${index}-image-info.json`, json(container.imageInfo))
        for (const [file, bytes] of initFiles(container, snapshot)) {
          await add(`-${index}-proc/${file}`, bytes)
        }
      }
    }
  }
  for (const [file, bytes] of snapshot?.files ?? []) await add(`-process/${file}`, bytes)
}

/** Adds `<name><suffix>`; what fails costs only this entry. */
export function entryAdder(
  { name, zip }: Bundle,
  { problems }: Task,
): (suffix: string, data: Uint8Array | string) => Promise<void> {
  return async (suffix, data) => {
    await problems.guard('ENTRY_NOT_WRITTEN', () => zip.add(`${name}${suffix}`, data))
  }
}

function json(value: object | undefined): string {
  return JSON.stringify(value ?? {})
}

/** "" where there is none, as version 9. */
async function readLog(
  container: ContainerDetails,
  { stop, problems }: Task,
): Promise<Uint8Array | string> {
  if (stop.cause) return ''
  try {
    const stopped = new Promise<never>((_, reject) => {
      stop.signal.addEventListener('abort', () => reject(stop.signal.reason as Error), {
        once: true,
      })
    })
    const tail = await Promise.race([container.readLog(), stopped])
    if (tail.truncated) {
      problems.add(
        'LOG_TRUNCATED',
        `The log of \`${container.name ?? container.id}\` is longer than what is kept`,
      )
    }
    return tail.bytes
  } catch (error) {
    problems.add('LOG_UNREADABLE', messageOf(error))
    return ''
  }
}

/** Of the container's first process; when that is the one that crashed, its own snapshot serves. */
function initFiles(
  { crashed, initFiles: files, initPid }: ContainerDetails,
  snapshot: ProcessSnapshot | undefined,
): ReadonlyMap<string, Buffer> {
  if (files.size > 0 || !crashed || snapshot === undefined) return files
  const isInit = initPid === snapshot.pid || snapshot.status?.nspid.at(-1) === 1
  return isInit ? snapshot.files : files
}
