import { expect, test } from 'vitest'
import { fuzz } from './support/fuzz.ts'
import { TARGETS } from './targets/index.ts'

// longer, and with other seeds: npm run fuzz
const SECONDS = 2.5
const SEED = Number(process.env['FUZZ_SEED'] ?? 1)

test.for(TARGETS.filter(({ onRequest }) => onRequest !== true))(
  '$name: $what [composer-24, identity-20, agent-25, attack-5]',
  async (target) => {
    const { rounds } = await fuzz(target, { seed: SEED, seconds: SECONDS })
    expect(rounds).toBeGreaterThan(0)
  },
)
