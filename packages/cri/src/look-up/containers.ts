import { type JsonObject, objectsAt, textAt } from '../json.ts'
import { nanoseconds } from '../runtime/time.ts'
import { type Asking, complainOf } from './context.ts'
import type { Found } from './found.ts'

/** As `crictl ps -o json -p <sandbox>`, with the container that crashed in it, running or not. */
export async function psInfoOf(found: Found, asking: Asking): Promise<JsonObject | undefined> {
  const { sandboxId, container } = found
  const crashed = container === undefined ? [] : [itemOf(container.inspection.status, sandboxId)]
  try {
    if (sandboxId === undefined) return crashed.length === 0 ? undefined : { containers: crashed }
    const answer = await asking.runtime.listContainers(sandboxId, asking.deadline)
    const running = objectsAt(answer, 'containers')
    const isListed = running.some((one) => textAt(one, 'id') === container?.id)
    return { ...answer, containers: isListed ? running : [...running, ...crashed] }
  } catch (error) {
    complainOf(asking, error)
    return crashed.length === 0 ? undefined : { containers: crashed }
  }
}

/** An item of `crictl ps -o json`, from the status of that container. */
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
