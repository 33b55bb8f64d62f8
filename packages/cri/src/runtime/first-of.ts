import { CriError, isCriError } from '../error.ts'
import { objectsAt } from '../json.ts'
import { errnoOf, messageOf } from '../text.ts'
import type { Runtime } from './runtime.ts'

/**
 * Several runtimes as one: a call that the first cannot answer goes to the next, and the first that
 * answers gets all later calls. A node may have an idle containerd beside that of k3s.
 */
export function firstOf(runtimes: readonly [Runtime, ...Runtime[]]): Runtime {
  let chosen: Runtime | undefined = runtimes.length === 1 ? runtimes[0] : undefined
  const answered = new Set<Runtime>()

  async function ask<Answer>(
    call: (runtime: Runtime) => Promise<Answer>,
    isEmpty: (answer: Answer) => boolean = () => false,
  ): Promise<Answer> {
    if (chosen !== undefined) return call(chosen)
    const failures: Failure[] = []
    let empty: Answer | undefined
    for (const runtime of runtimes) {
      try {
        const answer = await call(runtime)
        answered.add(runtime)
        if (isEmpty(answer)) {
          empty ??= answer
          continue
        }
        chosen = runtime
        return answer
      } catch (error) {
        if (isCriError(error) && error.code === 'CRI_ABORTED') throw error
        if (isCriError(error) && error.code === 'CRI_NOT_FOUND') answered.add(runtime)
        failures.push({ error, isAbsent: isAbsent(error) && !answered.has(runtime) })
      }
    }
    if (empty !== undefined) return empty
    throw worst(failures)
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

interface Failure {
  readonly error: unknown
  /** There is no runtime at that socket. */
  readonly isAbsent: boolean
}

/**
 * One error for all. That one runtime did not answer outweighs that the others do not know: it may
 * be the one that does.
 */
function worst(failures: readonly Failure[]): unknown {
  const errors = failures.map(({ error }) => error)
  if (errors.length < 2) return errors[0]
  const codes = failures.map(({ error, isAbsent: absent }) => ({
    code: isCriError(error) ? error.code : 'CRI_FAILED',
    // another program's socket does not serve CRI and knows no container
    isAnswer: absent || (isCriError(error) && /_(NOT_FOUND|UNIMPLEMENTED)$/.test(error.code)),
  }))
  const { code } = codes.find(({ isAnswer }) => !isAnswer) ??
    codes.find((one) => one.code === 'CRI_NOT_FOUND') ??
    codes[0] ?? { code: 'CRI_FAILED' }
  const message = errors.map((error) => messageOf(error)).join(' · ')
  return new CriError(code, message, { cause: new AggregateError(errors) })
}

function isAbsent(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return errnoOf(error) === 'ENOENT' || isAbsent(error.cause)
}
