/**
 * One line for the person who waits, on standard error: standard output belongs to the command itself.
 * @param {string} line
 */
export function say(line) {
  process.stderr.write(`• ${line}\n`)
}

/**
 * Run one step and say how long it took, when that was worth noticing.
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} step
 * @returns {Promise<T>}
 */
export async function timed(name, step) {
  const started = Date.now()
  const result = await step()
  const seconds = (Date.now() - started) / 1000
  if (seconds >= 1.5) say(`${name}: ${seconds.toFixed(1)} s`)
  return result
}

/** A reason to stop that needs no stack trace. */
export class SetUpError extends Error {}
