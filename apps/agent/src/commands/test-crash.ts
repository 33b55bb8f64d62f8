import { setTimeout as sleep } from 'node:timers/promises'
import type { CommandContext } from '../context.ts'
import { letCrash, newCanary } from '../canary/let-crash.ts'

const LOOK_MS = 1000

/**
 * Let a process of our own crash, as soon as this node's agent is ready, and wait until that says
 * that the bundle is in the store: kernel, composer, look-up, keys and network in one go. What
 * `helm test` runs, also while an update is still under way.
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
        if (!deadline.aborted) last = String(error instanceof Error ? error.cause : error)
      }
      await sleep(LOOK_MS, undefined, { signal: deadline }).catch(() => undefined)
    }
    return false
  }

  if (!(await untilOk('/readyz'))) {
    log.error({ agent: url, seconds, last }, 'the agent is not ready: nothing was made to crash')
    return 1
  }
  await letCrash(canary)
  log.info({ canary, agent: url }, 'crashed; waiting for its bundle')
  if (await untilOk(`/delivered/${canary}`)) {
    log.info({ canary, bundle: last }, 'the store has it')
    return 0
  }
  const readiness = await fetch(new URL('/readyz', url), { signal: AbortSignal.timeout(5000) })
    .then((answer) => answer.text())
    .catch((error: unknown) => String(error))
  log.error({ canary, seconds, last, readiness }, 'its bundle did not arrive')
  return 1
}
