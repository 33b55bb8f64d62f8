import { CriError, isCriError } from '../error.ts'
import { objectsAt } from '../json.ts'
import { messageOf } from '../text.ts'
import type { Runtime } from './runtime.ts'

/**
 * Several runtimes as one: a call that the first cannot answer goes to the next, and the first that
 * answers gets all later calls. A node may have an idle containerd beside that of k3s.
 */
export function firstOf(runtimes: readonly [Runtime, ...Runtime[]]): Runtime {
  let chosen: Runtime | undefined = runtimes.length === 1 ? runtimes[0] : undefined

  async function ask<Answer>(
    call: (runtime: Runtime) => Promise<Answer>,
    isEmpty: (answer: Answer) => boolean = () => false,
  ): Promise<Answer> {
    if (chosen !== undefined) return call(chosen)
    const errors: unknown[] = []
    let empty: Answer | undefined
    for (const runtime of runtimes) {
      try {
        const answer = await call(runtime)
        if (isEmpty(answer)) {
          empty ??= answer
          continue
        }
        chosen = runtime
        return answer
      } catch (error) {
        if (isCriError(error) && error.code === 'CRI_ABORTED') throw error
        errors.push(error)
      }
    }
    if (empty !== undefined) return empty
    throw worst(errors)
  }

  return {
    get client() {
      return (chosen ?? runtimes[0]).client
    },
    get endpoint() {
      return chosen?.endpoint ?? runtimes.map(({ endpoint }) => endpoint).join(', ')
    },
    containerStatus: (id, options) => ask((runtime) => runtime.containerStatus(id, options)),
    podSandboxStatus: (id, options) => ask((runtime) => runtime.podSandboxStatus(id, options)),
    imageStatus: (ref, options) => ask((runtime) => runtime.imageStatus(ref, options)),
    listContainers: (id, options) => ask((runtime) => runtime.listContainers(id, options)),
    listPodSandboxes: (filter, options) =>
      ask(
        (runtime) => runtime.listPodSandboxes(filter, options),
        (answer) => objectsAt(answer, 'items').length === 0,
      ),
    containerLog: (id, lines, options) =>
      ask((runtime) => runtime.containerLog(id, lines, options)),
    close: () => {
      for (const runtime of runtimes) runtime.close()
    },
  }
}

/** One error for all: that one runtime did not answer outweighs that the others do not know. */
function worst(errors: readonly unknown[]): unknown {
  const [first] = errors
  if (errors.length < 2) return first
  const known = errors.filter((error) => isCriError(error))
  const failed = known.find(({ code }) => code === 'CRI_TIMEOUT' || code === 'CRI_FAILED')
  const denied = known.find(({ code }) => code === 'CRI_NOT_FOUND')
  const { code } = failed ?? denied ?? known[0] ?? { code: 'CRI_FAILED' as const }
  const message = errors.map((error) => messageOf(error)).join(' · ')
  return new CriError(code, message, { cause: new AggregateError(errors) })
}
