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

/** In the order of how soon they show that something is wrong; those of one row run at once. */
const ROWS: readonly (readonly Part[])[] = [
  [
    {
      name: 'unit',
      what: 'each package and app alone, from sources',
      args: [],
      tools: ['versitygw'],
    },
  ],
  [
    {
      name: 'package',
      what: 'published shape, README examples, packed tarballs on Node 22.18, 24 and 26, the image',
      args: [...INTEGRATION, 'integration/package/', 'integration/image/'],
    },
    {
      name: 'chart',
      what: 'each value, preset and refusal, the objects against three Kubernetes versions, the alert rules',
      args: ['--config', 'chart/vitest.config.ts'],
    },
    {
      name: 'store',
      what: 'object stores that fail, answer badly, and need every kind of credentials; stored binaries',
      args: [...INTEGRATION, 'integration/store/'],
    },
  ],
  [
    {
      name: 'integration',
      what: 'the whole path on this kernel, containerd and a cluster',
      // the collector is built with Go for minutes: npm run test:collector
      args: [...INTEGRATION, ...without('package', 'image', 'store', 'collector')],
    },
  ],
]
const PARTS: readonly Part[] = ROWS.flat()

function without(...folders: readonly string[]): string[] {
  return folders.flatMap((folder) => ['--exclude', `${folder}/**`])
}

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
  const isWanted = ({ name }: Part): boolean =>
    positionals.length === 0 || positionals.includes(name)
  process.exitCode = await runAll(
    ROWS.map((row) => row.filter(isWanted)),
    values.report,
  )
}

async function runAll(
  rows: readonly (readonly Part[])[],
  reportDir: string | undefined,
): Promise<number> {
  const skipFails = process.env['CI'] === 'true'
  const lines: string[] = []
  const reports: Report[] = []
  let total: Tally = EMPTY
  let interrupted = false
  process.once('SIGINT', () => (interrupted = true))
  for (const row of rows) {
    if (interrupted) break
    const runs = await Promise.all(row.map((part) => runPart(part)))
    for (const { name, code, text, seconds } of runs) {
      const report = readReport(text)
      reports.push(report)
      if (reportDir !== undefined) await save(reportDir, `${name}.json`, text)
      const counted = count(report)
      // an error outside any test, or no tests at all, is in no report
      const tally = code !== 0 && counted.failed === 0 ? { ...counted, failed: 1 } : counted
      const time = seconds.toFixed(1).padStart(6)
      lines.push(`${name.padEnd(12)} ${time} s  ${describeTally(tally)}`)
      total = add(total, tally)
    }
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

interface PartRun {
  readonly name: string
  readonly code: number
  /** Vitest's JSON report. */
  readonly text: string
  readonly seconds: number
}

/** Run one part with the terminal of this process. */
async function runPart({ name, what, args, tools = [] }: Part): Promise<PartRun> {
  process.stdout.write(`\n── ${name}: ${what}\n`)
  const started = performance.now()
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
    return { name, code, text, seconds: (performance.now() - started) / 1000 }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function save(directory: string, name: string, text: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, name), text)
}
