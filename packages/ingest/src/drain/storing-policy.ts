import { availableParallelism } from 'node:os'
import type { DrainSettings } from './settings.ts'

/** Whether data is stored rather than compressed, while so many lanes are at work. */
export type StoringPolicy = (busyLanes: number) => boolean

/** `started` as `performance.now()` gave it when somebody began to wait. */
export function storingPolicy(settings: DrainSettings, started: number): StoringPolicy {
  const { mode, lanes, holdBudgetMs, mayStore } = settings
  if (mode === 'store') return () => true
  if (mode !== 'adaptive') return () => false
  // all CPUs at compressing would take turns with the reading, and with who writes into the pipe
  const yielding = Math.max(1, Math.min(lanes, availableParallelism() - 1))
  return (busyLanes) =>
    busyLanes >= yielding && performance.now() - started >= holdBudgetMs && mayStore()
}
