import type { DrainMode } from './options.ts'

/** Whether data is stored rather than compressed, when a lane is idle and when none is. */
export type StoringPolicy = (laneIdle: boolean) => boolean

/** `started` as `performance.now()` gave it when somebody began to wait. */
export function storingPolicy(
  mode: DrainMode,
  started: number,
  holdBudgetMs: number,
): StoringPolicy {
  switch (mode) {
    case 'store':
      return () => true
    case 'adaptive':
      return (laneIdle) => !laneIdle && performance.now() - started >= holdBudgetMs
    default:
      return () => false
  }
}
