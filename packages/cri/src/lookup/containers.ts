import { type JsonObject, objectsAt, textAt } from '../json.ts'
import { nanoseconds } from '../runtime/time.ts'
import { warning } from '../warning.ts'
import { addError, addWarning, type Found, type RuntimeContext } from './context.ts'

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
