/**
 * Milliseconds until the next tick of a clock that started at `startMs` and ticks each
 * `intervalMs`: equal gaps, however long the work of a tick took; ticks that were missed are not made up.
 */
export function msUntilNextTick(startMs: number, intervalMs: number, nowMs: number): number {
  // a clock set back must not make anybody wait for more than one interval
  const elapsed = Math.max(0, nowMs - startMs)
  return intervalMs - (elapsed % intervalMs)
}
