import { parseArgs } from 'node:util'
import { PARTS, type Part } from './test/parts.ts'
import { runPart } from './test/run-part.ts'
import { add, describeTally, EMPTY, type Tally } from './test/tally.ts'

const USAGE = `Usage: npm test [-- [PART...] [--report DIR] [--help]]

Runs every test, or only the parts named; the last line says how many passed and failed.
With CI=true a skipped test is a failure. With --report, DIR gets what vitest tells of each
part as PART.json (\`node integration/faults/write.ts DIR/*.json\` fills the fault matrix with it).

${PARTS.map(({ name, what }) => `  ${name.padEnd(12)} ${what}`).join('\n')}
`

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { help: { type: 'boolean', short: 'h' }, report: { type: 'string' } },
})
const unknown = positionals.filter((name) => !PARTS.some((part) => part.name === name))

if (values.help) {
  process.stdout.write(USAGE)
} else if (unknown.length > 0) {
  process.stderr.write(`No such part: ${unknown.join(', ')}\n\n${USAGE}`)
  process.exitCode = 2
} else {
  const wanted = PARTS.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  process.exitCode = await runAll(wanted)
}

async function runAll(parts: readonly Part[]): Promise<number> {
  const skipFails = process.env['CI'] === 'true'
  const lines: string[] = []
  let total: Tally = EMPTY
  let interrupted = false
  process.once('SIGINT', () => (interrupted = true))
  for (const part of parts) {
    if (interrupted) break
    process.stdout.write(`\n── ${part.name}: ${part.what}\n`)
    const started = performance.now()
    const tally = await runPart(part, values.report)
    const seconds = (performance.now() - started) / 1000
    lines.push(
      `${part.name.padEnd(12)} ${seconds.toFixed(1).padStart(6)} s  ${describeTally(tally)}`,
    )
    total = add(total, tally)
  }

  const skipped = total.skipped.length
  const failed = total.failed + (skipFails ? skipped : 0)
  process.stdout.write(`\n${lines.join('\n')}\n`)
  for (const name of total.skipped) process.stdout.write(`skipped: ${name}\n`)
  if (skipped > 0) {
    const meaning = skipFails ? ', counted as failed because CI=true' : ''
    process.stdout.write(`${skipped} skipped${meaning}\n`)
  }
  process.stdout.write(`${total.passed} passed, ${failed} failed\n`)
  return failed > 0 || total.passed === 0 ? 1 : 0
}
