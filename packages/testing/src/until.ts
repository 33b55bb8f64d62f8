import { setTimeout as sleep } from 'node:timers/promises'

type Truthy<T> = Exclude<T, false | 0 | '' | null | undefined>

/**
 * Ask again until `probe` gives something truthy, and return that.
 * A probe that throws is asked again too; its last error is the `cause` of the time-out.
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  timeoutMs = 20_000,
): Promise<Truthy<T>> {
  const end = performance.now() + timeoutMs
  let cause: unknown
  for (;;) {
    try {
      const value = await probe()
      if (value) return value as Truthy<T>
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() > end) {
      throw new Error(`Waited ${timeoutMs} ms in vain: ${what}`, { cause })
    }
    await sleep(20)
  }
}
