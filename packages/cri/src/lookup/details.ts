import { isCriError } from '../error.ts'
import { type JsonObject, numberAt, textAt } from '../json.ts'
import type { ProcessSnapshot } from '../process/types.ts'
import type { Inspection } from '../runtime/runtime.ts'
import { warning } from '../warning.ts'
import { withoutUndefined } from '../without-undefined.ts'
import { addError, addWarning, type Found, type RuntimeContext } from './context.ts'
import { openLogOf } from './open-log-of.ts'
import { LABEL } from './sandbox.ts'
import type { ContainerDetails } from './types.ts'

/** One container of the pod; `item` is its entry in `crictl ps`. */
export async function detailsOf(
  item: JsonObject,
  found: Found,
  snapshot: ProcessSnapshot | undefined,
  context: RuntimeContext,
): Promise<ContainerDetails> {
  const id = textAt(item, 'id') ?? ''
  const name = textAt(item, 'labels', LABEL.container) ?? textAt(item, 'metadata', 'name')
  const crashed = id === found.container?.id
  const [inspection, imageInfo] = await Promise.all([
    crashed ? found.container?.inspection : inspect(id, context),
    imageOf(item, context),
  ])
  const initPid = numberAt(inspection?.info, 'pid')
  const initFiles = await context.initFiles.read(id, initPid, snapshot, (added) =>
    addWarning(context, added),
  )
  return {
    id,
    ...withoutUndefined({ name, imageInfo, initPid }),
    crashed,
    initFiles,
    readLog: await openLogOf(id, inspection, context),
  }
}

async function inspect(id: string, context: RuntimeContext): Promise<Inspection | undefined> {
  const { runtime, options, deadline } = context
  // crictl finds the log without an inspection: one process fewer for each container
  if (runtime.client === 'crictl' && options.includeProcessFiles.length === 0) return undefined
  try {
    return await runtime.containerStatus(id, deadline)
  } catch (error) {
    addError(context, error)
    return undefined
  }
}

async function imageOf(item: JsonObject, context: RuntimeContext): Promise<JsonObject | undefined> {
  // an imported image may be known by its name alone
  const refs = [textAt(item, 'imageRef'), textAt(item, 'image', 'image')].filter(
    (ref) => ref !== undefined,
  )
  for (const ref of new Set(refs)) {
    try {
      return await context.runtime.imageStatus(ref, context.deadline)
    } catch (error) {
      if (isCriError(error) && error.code === 'CRI_NOT_FOUND') continue
      addError(context, error)
      return undefined
    }
  }
  const id = textAt(item, 'id')
  const reason = refs.length === 0 ? 'the runtime names none' : `not known: ${refs.join(', ')}`
  addWarning(context, warning('IMAGE_NOT_FOUND', `No image of container ${id}: ${reason}`))
  return undefined
}
