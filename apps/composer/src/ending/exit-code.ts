import type { LookupResult } from '@core-dump-handler/cri'
import type { TakenCore } from '../bundle/take-core.ts'
import type { Crash } from '../crash/crash.ts'
import type { Task } from '../task.ts'

/** 0, or what version 9 would say: 1 for a failure, 32 for its time limit; 128 + n for a signal. */
export function exitCodeOf(
  crash: Crash,
  { failed }: TakenCore,
  found: LookupResult,
  { settings, stop }: Task,
): number {
  if (stop.cause) return stop.cause.exitCode
  const looking = !settings.ignoreCrio && crash.hostname !== '' && found.identity.status !== 'host'
  const missing = found.podInfo === undefined || found.psInfo === undefined
  return failed || (looking && missing) ? 1 : 0
}
