import { join } from 'node:path'
import {
  startLookup,
  snapshotProcess,
  type LookupResult,
  type Runtime,
} from '@core-dump-handler/cri'
import { fakeProc } from '@core-dump-handler/testing/cri/fake-proc'
import { cgroup } from '../generate/answers.ts'
import type { Random } from '../generate/random.ts'
import { assertOneLine, promised } from './promises.ts'

const PID = 4242
const TOTAL_MS = 1000
const SLACK_MS = 5000

/** Look up one crash with a hostile runtime; the result has the right form, and comes in time. */
export async function lookUpAndCheck(
  random: Random,
  directory: string,
  runtime: Promise<Runtime>,
): Promise<LookupResult> {
  const root = join(directory, 'proc')
  fakeProc(root, { pid: PID, cgroup: cgroup(random), files: { environ: 'A=1\0' } })
  const byName = random.once(4)
  const snapshot = byName ? undefined : snapshotProcess(PID, { root })
  const crash = { timestamp: 1_700_000_200, pid: 1, uid: 1000, gid: 1000 }
  const started = performance.now()
  const search = startLookup({ snapshot, hostname: 'web-1', crash }, runtime, {
    totalTimeoutMs: TOTAL_MS,
    procRoot: root,
    includeProcessFiles: random.once(3) ? ['environ'] : [],
  })
  const { identity } = await search.identified
  const result = await search.result
  const tookMs = performance.now() - started
  promised(tookMs < TOTAL_MS + SLACK_MS, () => `took ${tookMs} ms`)
  promised(
    ['verified', 'unverified', 'host'].includes(identity.status) &&
      (identity.status === 'verified' || typeof identity.reason === 'string'),
    () => JSON.stringify(identity),
  )
  promised(!byName || identity.status === 'unverified', () => 'verified by a host name')
  for (const { code, message } of result.warnings) {
    promised(/^[A-Z_]{1,40}$/.test(code), () => `the code ${code}`)
    assertOneLine(message, 'a problem')
  }
  for (const container of result.containers) {
    await container.readLog().catch((error: unknown) => {
      promised(error instanceof Error, () => `readLog throws ${String(error)}`)
      assertOneLine(error.message, 'why there is no log')
    })
  }
  await search.close()
  JSON.stringify(result)
  return result
}
