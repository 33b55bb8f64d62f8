import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { findTool, type ToolName } from '@core-dump-handler/testing/tools/find-tool'
import { faultPage, faultTests, PAGE } from './faults.ts'
import { runInForeground } from './set-up/pinned-node.mjs'
import { ROOT } from './set-up/root.mjs'
import {
  add,
  count,
  describeTally,
  EMPTY,
  readReport,
  type Report,
  type Tally,
} from './test-report.ts'

/** One run of vitest. */
interface Part {
  readonly name: string
  readonly what: string
  /** Arguments of `vitest run`. */
  readonly args: readonly string[]
  /** Made before the part starts: its tests only look whether they exist. */
  readonly tools?: readonly ToolName[]
}

const VITEST = join(ROOT, 'node_modules/vitest/vitest.mjs')
const INTEGRATION = ['--config', 'integration/vitest.config.ts']

/** In the order of how soon they show that something is wrong. */
const PARTS: readonly Part[] = [
  {
    name: 'unit',
    what: 'each package and app alone, from sources',
    args: [],
    tools: ['versitygw'],
  },
  {
    name: 'package',
    what: 'published shape, README examples, packed tarballs on Node 22.18, 24 and 26',
    args: [...INTEGRATION, 'integration/package/'],
  },
  {
    name: 'chart',
    what: 'each value, preset and refusal, the objects against three Kubernetes versions, the alert rules',
    args: ['--config', 'chart/vitest.config.ts'],
  },
  {
    name: 'integration',
    what: 'the whole path on this kernel, containerd, object stores and a cluster',
    // the collector is built with Go for minutes: npm run test:collector
    args: [...INTEGRATION, '--exclude', 'package/**', '--exclude', 'collector/**'],
  },
]

const USAGE = `Usage: npm test [-- [PART...] [--report DIR] [--help]]

Runs all tests, or only the named parts; the last line has the numbers of passed and failed tests.
With CI=true a skipped test is a failure. With --report, DIR gets vitest's JSON report of each part
as PART.json, and faults.md: docs/faults.md with the outcome of each fault's tests.

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
  process.exitCode = await runAll(wanted, values.report)
}

async function runAll(parts: readonly Part[], reportDir: string | undefined): Promise<number> {
  const skipFails = process.env['CI'] === 'true'
  const lines: string[] = []
  const reports: Report[] = []
  let total: Tally = EMPTY
  let interrupted = false
  process.once('SIGINT', () => (interrupted = true))
  for (const part of parts) {
    if (interrupted) break
    process.stdout.write(`\n── ${part.name}: ${part.what}\n`)
    const started = performance.now()
    const { code, text } = await runPart(part)
    const report = readReport(text)
    reports.push(report)
    if (reportDir !== undefined) await save(reportDir, `${part.name}.json`, text)
    const counted = count(report)
    // an error outside any test, or no tests at all, is in no report
    const tally = code !== 0 && counted.failed === 0 ? { ...counted, failed: 1 } : counted
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    lines.push(`${part.name.padEnd(12)} ${seconds.padStart(6)} s  ${describeTally(tally)}`)
    total = add(total, tally)
  }
  if (reportDir !== undefined) {
    await save(
      reportDir,
      'faults.md',
      faultPage(await readFile(PAGE, 'utf8'), faultTests(), reports),
    )
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

/** Run one part with the terminal of this process; returns its exit code and its JSON report. */
async function runPart({ args, tools = [] }: Part): Promise<{ code: number; text: string }> {
  for (const tool of tools) {
    // without it its tests are skipped, or fail where CI=true
    await findTool(tool).catch((error: unknown) => process.stderr.write(`${String(error)}\n`))
  }
  const scratch = await mkdtemp(join(tmpdir(), 'core-dump-handler-test-'))
  try {
    const file = join(scratch, 'report.json')
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
    const code = await runInForeground(process.execPath, [VITEST, 'run', ...args, ...reporters])
    const text = await readFile(file, 'utf8').catch(() => '{"testResults":[]}')
    return { code, text }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function save(directory: string, name: string, text: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, name), text)
}
