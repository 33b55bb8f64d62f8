import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { received } from '@core-dump-handler/testing/receiver/received'
import { storm } from '@core-dump-handler/testing/kernel/storm'
import { until } from '@core-dump-handler/testing/until'
import { coreSockets } from './core-sockets.ts'

/** DESIGN: what one process for all crashes of a node may take. */
const MAX_RSS_MIB = 160
const DEADLINE_MS = 120_000

coreSockets('a storm on the socket', () => {
  test.for([
    { crashes: 500, mebibytes: 1 },
    { crashes: 32, mebibytes: 100 },
  ])(
    'loses none of $crashes crashes of $mebibytes MiB at once, within its memory [receiver-5]',
    { timeout: 200_000 },
    async ({ crashes, mebibytes }) => {
      let pids: readonly number[] = []
      let rssMiB = 0
      const receiver = await received(
        {},
        async (one) => {
          const { directory, hostDir } = one
          const result = await storm({ directory, hostDir, crashes, mebibytes })
          pids = result.pids
          await until('all bundles are written', () => isOver(one.coreDir), 60_000)
          rssMiB = one.memory().peak
          process.stderr.write(
            `${crashes}x${mebibytes}: first ${Math.round(result.firstReleasedMs)} ms, last ${Math.round(result.lastReleasedMs)} ms, RSS ${Math.round(rssMiB)} MiB, anonymous ${Math.round(one.memory().anonymous)}\n`,
          )
        },
        DEADLINE_MS,
      )
      const bundles = await receiver.bundles(crashes)
      // beside those of other programs of this machine
      const whole = bundles.filter(({ manifest }) => manifest.core.complete)
      const stored = new Set(whole.map(({ manifest }) => manifest.crash.hostPid))
      expect(pids.filter((pid) => !stored.has(pid))).toEqual([])
      expect(rssMiB).toBeLessThanOrEqual(MAX_RSS_MIB)
    },
  )
})

/** No bundle is being written: a process has one before it is released. */
function isOver(coreDir: string): boolean {
  return !readdirSync(coreDir).some((name) => name.endsWith('.part'))
}
