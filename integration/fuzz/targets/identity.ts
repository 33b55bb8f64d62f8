import { BATCH, crashBatch } from '../../identity/batch.ts'
import { Stage } from '../../identity/stage.ts'
import { inWords, Tally } from '../../identity/tally.ts'
import { promised } from '../support/promises.ts'
import type { Target } from '../support/target.ts'

/** The runtime is restarted during the lookups in one of so many rounds. */
const RESTARTS = 3

export const identity: Target = {
  name: 'identity',
  what: `real crashes in 24 pods under attack, ${BATCH} a round: needs root and containerd`,
  onRequest: true,
  roundMs: 300_000,
  async begin() {
    if (process.getuid?.() !== 0)
      throw new Error('only root may say what the kernel does with cores')
    const stage = await Stage.start()
    const tally = new Tally()
    let first = 0
    return {
      async round(random) {
        const restarts = random.once(RESTARTS)
        await crashBatch(stage, tally, random, { first, restarts })
        first += BATCH
        const { wrong, doubted, lost } = tally
        promised(wrong.length + doubted.length + lost.length === 0, () =>
          [`of ${first} crashes ${inWords(tally)}`, ...wrong, ...doubted, ...lost].join('\n'),
        )
      },
      summary: () => `${first} crashes: ${inWords(tally)}`,
      end: () => stage.stop(),
    }
  },
}
