/**
 * Milliseconds on a clock that never jumps and that all processes of a node share, clock_gettime(2).
 * Unlike `performance`, it loads no module while a process is held.
 */
export function monotonicMs(): number {
  return Math.round(Number(process.hrtime.bigint()) / 1e6)
}
