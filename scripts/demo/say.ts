import { setTimeout as sleep } from 'node:timers/promises'

const TIMEOUT_MS = 20_000
const started = performance.now()

/** Print one step, with the time since the demo began. */
export function say(line: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(2)
  process.stdout.write(`${seconds.padStart(5)} s  ${line}\n`)
}

/** A reason to stop that needs no stack trace. */
export class DemoError extends Error {}

/** Call `probe` every 10 ms until it returns a value; a time-out is a {@link DemoError}. */
export async function until<T>(
  what: string,
  probe: () => T | undefined,
  signal: AbortSignal,
): Promise<T> {
  const end = performance.now() + TIMEOUT_MS
  for (;;) {
    const value = probe()
    if (value !== undefined) return value
    if (performance.now() > end) throw new DemoError(`Waited ${TIMEOUT_MS / 1000} s for ${what}`)
    await sleep(10, undefined, { signal })
  }
}
