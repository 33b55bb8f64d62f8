const started = performance.now()

/** One step, with the time since the demo began. */
export function say(line: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(2)
  process.stdout.write(`${seconds.padStart(5)} s  ${line}\n`)
}

/** A reason to stop that needs no stack trace. */
export class DemoError extends Error {}
