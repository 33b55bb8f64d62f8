import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { median } from '@core-dump-handler/testing/bench/median'
import { publish, log } from '@core-dump-handler/testing/bench/publish'
import { hasOwnSize, availableKinds } from './cores.ts'
import { figuresOf } from './figures.ts'
import { measure, type Run } from './measure.ts'
import { parseOptions, USAGE, type BenchOptions, type Variant } from './options.ts'
import { summarize, type Result } from './summarize.ts'
import { drainTable, growthTable } from './tables.ts'
import { variantsOf } from './variants.ts'
import { openWorkshop, type Workshop } from './workshop.ts'

// what fits into the pipe is accepted before anything reads
const START_BYTES = 4 * 65536

const options = parseOptions(process.argv.slice(2))
if (options.help) process.stdout.write(USAGE)
else await bench(options)

async function bench(chosen: BenchOptions): Promise<void> {
  const { kinds, sizes, rounds, json } = chosen
  using workshop = await openWorkshop(chosen)
  const { variants, missing } = variantsOf(chosen, workshop)
  const { present, missing: withoutKinds } = availableKinds(kinds)
  missing.push(...withoutKinds)
  for (const line of missing) log(`Left out: ${line}`)
  const startMs = sizes.length > 1 ? starts(workshop, variants, chosen) : undefined
  const results: Result[] = []
  for (const kind of present) {
    const ofKind: Result[] = []
    for (const mib of hasOwnSize(kind) ? sizes.slice(0, 1) : sizes) {
      const core = await workshop.cores.of(kind, mib)
      const { size: bytes } = statSync(core)
      const summaries = summarize(interleave(workshop, core, variants, chosen), bytes)
      const name = hasOwnSize(kind) ? kind : `${kind} ${mib}`
      const result = { name, kind, bytes, summaries, ...(startMs && { startMs }) }
      ofKind.push(result)
      workshop.cores.drop(core)
      if (!json) process.stdout.write(drainTable(result, rounds))
    }
    if (ofKind.length > 1 && !json) process.stdout.write(growthTable(ofKind))
    results.push(...ofKind)
  }
  publish(chosen, { figures: figuresOf(results), missing, rounds, results })
}

/** Runs each variant once in each round, so that other load on the machine affects all of them. */
function interleave(
  workshop: Workshop,
  core: string,
  variants: readonly Variant[],
  { rounds, warmUp }: Pick<BenchOptions, 'rounds' | 'warmUp'>,
): Map<string, Run[]> {
  const runs = new Map<string, Run[]>(variants.map(({ name }) => [name, []]))
  for (let round = 1 - warmUp; round <= rounds; round++) {
    log(round < 1 ? `${core}: warming up` : `${core}: round ${round} of ${rounds}`)
    for (const variant of variants) {
      const run = measure(workshop, core, variant)
      if (round > 0) runs.get(variant.name)?.push(run)
    }
  }
  return runs
}

/** Start time of each variant: its drain time for an almost empty core. */
function starts(
  workshop: Workshop,
  variants: readonly Variant[],
  often: Pick<BenchOptions, 'rounds' | 'warmUp'>,
): Record<string, number> {
  const core = join(workshop.out, '../start.core')
  writeFileSync(core, Buffer.alloc(START_BYTES))
  const runs = interleave(workshop, core, variants, often)
  return Object.fromEntries(
    [...runs].map(([name, all]) => [name, median(all.map((run) => run.drainSeconds)) * 1000]),
  )
}
