import { setTimeout as sleep } from 'node:timers/promises'
import { DemoError } from './say.ts'

const TIMEOUT_MS = 20_000

/** Ask again every 10 ms until there is an answer. */
export async function until<T>(
  what: string,
  ask: () => T | undefined,
  signal: AbortSignal,
): Promise<T> {
  const end = performance.now() + TIMEOUT_MS
  for (;;) {
    const answer = ask()
    if (answer !== undefined) return answer
    if (performance.now() > end) throw new DemoError(`Waited ${TIMEOUT_MS / 1000} s for ${what}`)
    await sleep(10, undefined, { signal })
  }
}
