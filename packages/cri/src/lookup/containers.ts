import { isCriError, warning, type Warning } from '../error.ts'
import { type JsonObject, numberAt, objectsAt, textAt } from '../json.ts'
import type { ProcessSnapshot } from '../process/types.ts'
import type { Inspection } from '../runtime/runtime.ts'
import { errnoOf, messageOf } from '../text.ts'
import { withoutUndefined } from '../without-undefined.ts'
import { addError, addWarning, type Found, type RuntimeContext } from './context.ts'
import { LABEL, nanoseconds } from './sandbox.ts'
import type { ContainerDetails } from './types.ts'

// far above what pods have; each costs calls for its image and its log, with crictl a process each
const MAX_CONTAINERS = 64

/** As `crictl ps -o json -p <sandbox>`, with the container that crashed in it, running or not. */
export async function psInfoOf(
  found: Found,
  context: RuntimeContext,
): Promise<JsonObject | undefined> {
  const { sandboxId, container } = found
  const crashed = container === undefined ? [] : [itemOf(container.inspection.status, sandboxId)]
  try {
    if (sandboxId === undefined) return crashed.length === 0 ? undefined : { containers: crashed }
    const answer = await context.runtime.listContainers(sandboxId, context.deadline)
    const running = objectsAt(answer, 'containers')
    const isListed = running.some((one) => textAt(one, 'id') === container?.id)
    const all = isListed ? running : [...running, ...crashed]
    return { ...answer, containers: bounded(all, container?.id, context) }
  } catch (error) {
    addError(context, error)
    return crashed.length === 0 ? undefined : { containers: crashed }
  }
}

/** The first containers, and the one that crashed. */
function bounded(
  all: readonly JsonObject[],
  crashedId: string | undefined,
  context: RuntimeContext,
): readonly JsonObject[] {
  if (all.length <= MAX_CONTAINERS) return all
  const message = `The runtime lists ${all.length} containers of one pod: ${MAX_CONTAINERS} are described`
  addWarning(context, warning('CRI_TOO_LARGE', message))
  const crashed = all.find((one) => textAt(one, 'id') === crashedId)
  const first = all.slice(0, MAX_CONTAINERS)
  return crashed === undefined || first.includes(crashed) ? first : [...first.slice(0, -1), crashed]
}

/** An item of `crictl ps -o json`, made of the container's status. */
function itemOf(status: JsonObject, podSandboxId = ''): JsonObject {
  const { id = '', metadata = {}, image = {}, imageRef = '', state = '' } = status
  const { labels = {}, annotations = {} } = status
  return {
    id,
    podSandboxId,
    metadata,
    image,
    imageRef,
    state,
    createdAt: nanoseconds(textAt(status, 'createdAt') ?? ''),
    labels,
    annotations,
  }
}

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

/** Open the log of a container now; the function returned reads it later. */
async function openLogOf(
  id: string,
  inspection: Inspection | undefined,
  context: RuntimeContext,
): Promise<ContainerDetails['readLog']> {
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
