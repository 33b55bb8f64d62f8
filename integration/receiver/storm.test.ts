import { expect, test } from 'vitest'
import { received } from '@core-dump-handler/testing/receiver/received'
import { storm } from '@core-dump-handler/testing/kernel/storm'
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
          await one.bundles(crashes)
          rssMiB = one.memory().peak
          process.stderr.write(
            `${crashes}x${mebibytes}: first ${Math.round(result.firstReleasedMs)} ms, last ${Math.round(result.lastReleasedMs)} ms, RSS ${Math.round(rssMiB)} MiB, anonymous ${Math.round(one.memory().anonymous)}\n`,
          )
        },
        DEADLINE_MS,
      )
      const bundles = await receiver.bundles(crashes)
      const whole = bundles.filter(({ manifest }) => manifest.core.complete)
      expect(new Set(whole.map(({ manifest }) => manifest.crash.hostPid))).toEqual(new Set(pids))
      expect(rssMiB).toBeLessThanOrEqual(MAX_RSS_MIB)
    },
  )
})
