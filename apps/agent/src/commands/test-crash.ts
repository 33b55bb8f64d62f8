import { setTimeout as sleep } from 'node:timers/promises'
import type { CommandContext } from '../context.ts'
import { messageOf } from '../error.ts'
import { letCrash, newCanary } from '../canary/let-crash.ts'

const LOOK_MS = 1000

/**
 * Lets a process of our own crash, as soon as this node's agent is ready, and waits until the agent
 * reports that the bundle is in the store: this tests kernel, composer, lookup, keys and network.
 * `helm test` runs it, also while an update is still in progress.
 */
export async function testCrash({ env, log, signal }: CommandContext): Promise<number> {
  const url = env['AGENT_URL'] ?? `http://127.0.0.1:${env['HEALTH_PORT'] ?? 9760}`
  const seconds = Number(env['TEST_TIMEOUT_SECONDS'] ?? 120)
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)])
  const canary = newCanary()
  let last = 'no answer yet'

  async function untilOk(path: string): Promise<boolean> {
    while (!deadline.aborted) {
      try {
        const answer = await fetch(new URL(path, url), { signal: deadline })
        last = (await answer.text()).trim()
        if (answer.ok) return true
      } catch (error) {
        if (!deadline.aborted)
          last = messageOf(error instanceof Error ? (error.cause ?? error) : error)
      }
      await sleep(LOOK_MS, undefined, { signal: deadline }).catch(() => undefined)
    }
    return false
  }

  if (!(await untilOk('/readyz'))) {
    log.error(
      { agent: url, seconds, last },
      'the agent is not ready, so no process was made to crash',
    )
    return 1
  }
  await letCrash(canary)
  log.info({ canary, agent: url }, 'a process has crashed for this test; waiting for its bundle')
  if (await untilOk(`/delivered/${canary}`)) {
    log.info({ canary, bundle: last }, 'the bundle of the test is in the store')
    return 0
  }
  const readiness = await fetch(new URL('/readyz', url), { signal: AbortSignal.timeout(5000) })
    .then((answer) => answer.text())
    .catch((error: unknown) => String(error))
  log.error(
    { canary, seconds, last, readiness },
    'the bundle of the test did not arrive in the store',
  )
  return 1
}
