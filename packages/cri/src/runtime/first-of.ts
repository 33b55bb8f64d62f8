import { CriError, isCriError } from '../error.ts'
import { objectsAt } from '../json.ts'
import type { Runtime } from './runtime.ts'

/**
 * Several runtimes as one: what the first does not know, or cannot say, is asked of the next; the
 * one that answered is asked alone from then on. A node may have an idle containerd beside k3s's.
 */
export function firstOf(runtimes: readonly [Runtime, ...Runtime[]]): Runtime {
  let chosen: Runtime | undefined = runtimes.length === 1 ? runtimes[0] : undefined

  async function ask<Answer>(
    question: (runtime: Runtime) => Promise<Answer>,
    isEmpty: (answer: Answer) => boolean = () => false,
  ): Promise<Answer> {
    if (chosen !== undefined) return question(chosen)
    const errors: unknown[] = []
    let empty: Answer | undefined
    for (const runtime of runtimes) {
      try {
        const answer = await question(runtime)
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
    containerStatus: (id, call) => ask((runtime) => runtime.containerStatus(id, call)),
    podSandboxStatus: (id, call) => ask((runtime) => runtime.podSandboxStatus(id, call)),
    imageStatus: (ref, call) => ask((runtime) => runtime.imageStatus(ref, call)),
    listContainers: (id, call) => ask((runtime) => runtime.listContainers(id, call)),
    listPodSandboxes: (filter, call) =>
      ask(
        (runtime) => runtime.listPodSandboxes(filter, call),
        (answer) => objectsAt(answer, 'items').length === 0,
      ),
    containerLog: (id, lines, call) => ask((runtime) => runtime.containerLog(id, lines, call)),
    close: () => {
      for (const runtime of runtimes) runtime.close()
    },
  }
}

/** What to say of all of them: that one did not answer outweighs that others do not know. */
function worst(errors: readonly unknown[]): unknown {
  const [first] = errors
  if (errors.length < 2) return first
  const known = errors.filter((error) => isCriError(error))
  const failed = known.find(({ code }) => code === 'CRI_TIMEOUT' || code === 'CRI_FAILED')
  const denied = known.find(({ code }) => code === 'CRI_NOT_FOUND')
  const { code } = failed ?? denied ?? known[0] ?? { code: 'CRI_FAILED' as const }
  const message = errors.map((error) => (error instanceof Error ? error.message : String(error)))
  return new CriError(code, message.join(' · '), { cause: new AggregateError(errors) })
}
