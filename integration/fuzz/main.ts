import { parseArgs } from 'node:util'
import { fuzz } from './support/fuzz.ts'
import { TARGETS } from './targets/index.ts'

const USAGE = `Usage: npm run fuzz -- [--seconds N] [--seed S] [--target T]... [--round R]

Feeds each part with hostile input for N seconds (default 60); what is found is
seen again with the same seed, target and round.

${listed(false)}

Only when named by --target, since all crashes of the machine go to it meanwhile:

${listed(true)}
`

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() & 0x7fff_ffff) },
    target: { type: 'string', multiple: true, default: [] },
    round: { type: 'string' },
  },
})
const [seconds, seed, round] = [values.seconds, values.seed, values.round ?? '0'].map(Number)
const wanted = TARGETS.filter(({ name, onRequest }) =>
  values.target.length === 0 ? onRequest !== true : values.target.includes(name),
)
const unknown = values.target.filter((name) => !TARGETS.some((target) => target.name === name))
const numbers = [seconds, seed, round].every((number) => Number.isSafeInteger(number))

if (values.help === true) {
  process.stdout.write(USAGE)
} else if (unknown.length > 0 || !numbers) {
  process.stderr.write(USAGE)
  process.exitCode = 2
} else {
  process.exitCode = await runAll()
}

async function runAll(): Promise<number> {
  let failed = 0
  for (const target of wanted) {
    const options = { seed: seed ?? 0, seconds: seconds ?? 0 }
    try {
      const report = await fuzz(target, {
        ...options,
        ...(values.round !== undefined && { round: round ?? 0 }),
      })
      const took = `${report.rounds} rounds in ${report.seconds.toFixed(0)} s`
      const came = report.summary === undefined ? '' : `: ${report.summary}`
      process.stdout.write(`${target.name.padEnd(16)} ${took}, seed ${seed}${came}\n`)
    } catch (error) {
      failed++
      process.stdout.write(`${target.name.padEnd(16)} FAILED: ${String(error)}\n`)
    }
  }
  return failed === 0 ? 0 : 1
}

function listed(onRequest: boolean): string {
  return TARGETS.filter((target) => (target.onRequest ?? false) === onRequest)
    .map(({ name, what }) => `  ${name.padEnd(16)} ${what}`)
    .join('\n')
}
