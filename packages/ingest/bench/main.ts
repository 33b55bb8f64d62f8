import { statSync } from 'node:fs'
import { measure, type Run } from './measure.ts'
import { parseOptions, USAGE, type BenchOptions } from './options.ts'
import { machine, table } from './report.ts'
import { summarize, type Summary } from './summarize.ts'
import { variantsOf, type Variant } from './variants.ts'
import { openWorkshop, type Workshop } from './workshop.ts'

const options = parseOptions(process.argv.slice(2))
if (options.help) process.stdout.write(USAGE)
else await bench(options)

async function bench({ dir, json, kinds, mib, rounds, ...rest }: BenchOptions): Promise<void> {
  using workshop = await openWorkshop(dir)
  const { variants, missing } = variantsOf({ dir, json, kinds, mib, rounds, ...rest }, workshop)
  if (missing.length > 0) tell(`Not installed, so not compared with: ${missing.join(', ')}`)
  const results: { core: string; bytes: number; summaries: Summary[] }[] = []
  for (const kind of kinds) {
    const core = kind.includes('/') ? kind : workshop.core(kind, mib)
    const bytes = statSync(core).size
    const summaries = summarize(interleave(workshop, core, variants, rounds), bytes)
    results.push({ core: kind, bytes, summaries })
    const title = `${kind}, ${Math.round(bytes / 2 ** 20)} MiB, median of ${rounds} (memory: most)`
    if (!json) process.stdout.write(table(title, summaries))
  }
  if (json) process.stdout.write(`${JSON.stringify({ machine: machine(), missing, results })}\n`)
}

/** Each variant once in each round, so that what the machine does meanwhile hits all of them. */
function interleave(
  workshop: Workshop,
  core: string,
  variants: readonly Variant[],
  rounds: number,
): Map<string, Run[]> {
  const runs = new Map<string, Run[]>(variants.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    tell(round === 0 ? `${core}: warming up` : `${core}: round ${round} of ${rounds}`)
    for (const variant of variants) {
      const run = measure(workshop, core, variant)
      if (round > 0) runs.get(variant.name)?.push(run)
    }
  }
  return runs
}

/** Progress is for people: never in the way of `--json`. */
function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}
