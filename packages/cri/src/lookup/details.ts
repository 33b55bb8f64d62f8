import { isCriError } from '../error.ts'
import { type JsonObject, numberAt, textAt } from '../json.ts'
import { problem } from '../warning.ts'
import { containerIds } from '../process/cgroup.ts'
import { snapshotBy } from '../process/snapshot-process-within.ts'
import type { ProcessSnapshot } from '../process/types.ts'
import type { Inspection } from '../runtime/runtime.ts'
import { type Asking, complain, complainOf, type Found } from './context.ts'
import { LABEL } from './sandbox.ts'
import { openLogOf } from './container-logs.ts'
import type { ContainerDetails } from './types.ts'

/** Everything about one container of the pod; `item` is its entry in `crictl ps`. */
export async function detailsOf(
  item: JsonObject,
  found: Found,
  snapshot: ProcessSnapshot | undefined,
  asking: Asking,
): Promise<ContainerDetails> {
  const id = textAt(item, 'id') ?? ''
  const name = textAt(item, 'labels', LABEL.container) ?? textAt(item, 'metadata', 'name')
  const crashed = id === found.container?.id
  const [inspection, imageInfo] = await Promise.all([
    crashed ? found.container?.inspection : inspect(id, asking),
    imageOf(item, asking),
  ])
  const initPid = numberAt(inspection?.info, 'pid')
  const initFiles = await initFilesOf(id, initPid, snapshot, asking)
  return {
    id,
    ...(name !== undefined && { name }),
    crashed,
    ...(imageInfo !== undefined && { imageInfo }),
    ...(initPid !== undefined && { initPid }),
    initFiles,
    readLog: await openLogOf(id, inspection, asking),
  }
}

async function inspect(id: string, asking: Asking): Promise<Inspection | undefined> {
  const { runtime, options, deadline } = asking
  // through crictl the log needs no inspection: one process less, as the ancestor did
  if (runtime.client === 'crictl' && options.includeProcessFiles.length === 0) return undefined
  try {
    return await runtime.containerStatus(id, deadline)
  } catch (error) {
    complainOf(asking, error)
    return undefined
  }
}

async function imageOf(item: JsonObject, asking: Asking): Promise<JsonObject | undefined> {
  // an imported image may be known by its name alone
  const refs = [textAt(item, 'imageRef'), textAt(item, 'image', 'image')].filter(
    (ref) => ref !== undefined,
  )
  for (const ref of new Set(refs)) {
    try {
      return await asking.runtime.imageStatus(ref, asking.deadline)
    } catch (error) {
      if (isCriError(error) && error.code === 'CRI_NOT_FOUND') continue
      complainOf(asking, error)
      return undefined
    }
  }
  const id = textAt(item, 'id')
  const why = refs.length === 0 ? 'the runtime names none' : `not known: ${refs.join(', ')}`
  complain(asking, problem('IMAGE_NOT_FOUND', `No image of container ${id}: ${why}`))
  return undefined
}

const NONE: ReadonlyMap<string, Buffer> = new Map()

/** The files asked for of a container's first process, if it still is that. */
async function initFilesOf(
  id: string,
  pid: number | undefined,
  crashed: ProcessSnapshot | undefined,
  asking: Asking,
): Promise<ReadonlyMap<string, Buffer>> {
  const { includeProcessFiles: names, procRoot: root } = asking.options
  if (names.length === 0 || pid === undefined || pid <= 0) return NONE
  // it is the process that crashed, and gone by now: what was read of it then serves
  if (crashed?.pid === pid && crashed.stable) {
    return new Map([...crashed.files].filter(([name]) => names.includes(name)))
  }
  const init = await snapshotBy(asking.memory, pid, { root, includeFiles: names })
  for (const one of init.problems) complain(asking, one)
  // a runtime in a pid namespace of its own tells pids that are others' here
  if (init.cgroup === undefined || containerIds(init.cgroup).includes(id)) return init.files
  const message = `Process ${pid}, by the runtime the first of container ${id}, is not in that container`
  complain(asking, problem('PROCESS_CHANGED', message))
  return NONE
}
