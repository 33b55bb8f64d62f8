import { renameSync, writeFileSync } from 'node:fs'
import type { ProcessSnapshot } from '@core-dump-handler/cri'
import type { Crash } from '../crash/crash.ts'
import { messageOf } from '../log/message-of.ts'
import type { Selection } from '../selection.ts'
import type { Task } from '../task.ts'
import { countCrash } from './count-crash.ts'
import { keyOf, workloadOf } from './workload.ts'

/** `<window file>.json`, for the agent that closes the window: whose crashes were counted in it. */
export interface SuppressedWorkload {
  readonly scope: string
  readonly exe: string
  readonly comm: string
  readonly signal: string
  readonly signalName: string
  readonly hostname: string
  /** RATE_CRASHES: what the window's count exceeds was suppressed. */
  readonly limit: number
}

/**
 * RATE_CRASHES per RATE_WINDOW_SECONDS: the first ones are taken; the next one gets a record with
 * whose it was; of all others only the number is kept, which the agent puts into a record when the
 * window is over. A record each would be files without end: a loop may crash every 10 ms.
 */
export function limitRate(
  crash: Crash,
  snapshot: ProcessSnapshot | undefined,
  { home, settings, problems }: Task,
): Selection {
  const { rateCrashes: limit, rateWindowSeconds: seconds } = settings
  if (home === undefined || limit === 0) return { take: 'core' }
  try {
    const workload = workloadOf(crash, snapshot)
    const { file, ordinal } = countCrash(home, keyOf(workload), keyOf(workload, true), seconds)
    if (ordinal <= limit) return { take: 'core' }
    const reason = `Crash ${ordinal} of this workload within ${seconds} s; RATE_CRASHES is ${limit}`
    if (ordinal > limit + 1) return { take: 'nothing', reason }
    const { exeName: comm, signalName, hostname } = crash
    remember(file, { ...workload, comm, signalName, hostname, limit })
    return {
      take: 'record',
      code: 'CORE_SUPPRESSED',
      reason: `${reason}; further ones are counted`,
    }
  } catch (error) {
    // a full disk, say: what cannot be counted is taken
    problems.add('RATE_UNKNOWN', messageOf(error))
    return { take: 'core' }
  }
}

function remember(file: string, workload: SuppressedWorkload): void {
  const part = `${file}.json.${process.pid}`
  writeFileSync(part, JSON.stringify(workload), { mode: 0o600 })
  renameSync(part, `${file}.json`)
}
