import { setTimeout as sleep } from 'node:timers/promises'

type Truthy<T> = T & Exclude<T, false | 0 | '' | null | undefined>

function isTruthy<T>(value: T): value is Truthy<T> {
  return Boolean(value)
}

/**
 * Call `probe` until it returns something truthy, and return that.
 * A probe that throws is called again too; its last error is the `cause` of the time-out.
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
      if (isTruthy(value)) return value
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() > end) {
      throw new Error(`Not within ${timeoutMs} ms: ${what}`, { cause })
    }
    await sleep(20)
  }
}
