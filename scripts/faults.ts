import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Report, readReport } from './test-report.ts'
import { ROOT } from './set-up/root.mjs'

const USAGE = `Usage: node scripts/faults.ts [REPORT.json...]

Writes the tests of each fault into docs/faults.md: a test names its faults at the end of its own
name, as in "is sent again [agent-16, B5]". With reports (\`npm test -- --report DIR\`) it prints
the page with what they contain of each fault instead.
`

export const PAGE: string = join(ROOT, 'docs/faults.md')
const TEST_FILES = '{packages,apps,chart,integration}/**/*.test.ts'
const ID = String.raw`(?:B\d+|[a-z][a-z-]*-\d+)`
const TAG = new RegExp(String.raw` \[(${ID}(?:, ${ID})*)\]$`)
const TAGGED_NAME = new RegExp(String.raw`(['"\`])([^\n]*? \[${ID}(?:, ${ID})*\])\1`, 'g')
const ROW = new RegExp(String.raw`^\| (${ID}) +\| (.*?) +\| (.*?) +\|.*\|$`)

/** A test and the faults that it shows. */
interface FaultTest {
  readonly file: string
  readonly name: string
  readonly ids: readonly string[]
}

/** The tests of this repository that name a fault, by file. */
export function faultTests(): FaultTest[] {
  const files = globSync(TEST_FILES, {
    cwd: ROOT,
    exclude: (path) => path.includes('node_modules'),
  })
  return files.toSorted().flatMap((file) =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(TAGGED_NAME)].map(([, , text = '']) => ({
      file,
      name: text.replace(TAG, '').replaceAll("\\'", "'"),
      ids: faultsOf(text),
    })),
  )
}

/** The page with the tests of each row, and with what reports contain of them. */
export function faultPage(
  page: string,
  tests: readonly FaultTest[],
  reports: readonly Report[] = [],
): string {
  const seen = reports.length > 0 ? outcomes(reports) : undefined
  return page
    .split('\n')
    .map((line) => {
      const [, id, fault, expected] = ROW.exec(line) ?? []
      if (id === undefined) return seen ? withSeenColumn(line) : line
      const links = tests.filter(({ ids }) => ids.includes(id)).map(link)
      const cells = [id, fault, expected, links.join('<br>'), ...(seen ? [seen(id)] : [])]
      return `| ${cells.join(' | ')} |`
    })
    .join('\n')
}

/** The ids of the page's rows. */
export function faultIds(page: string): string[] {
  return page.split('\n').flatMap((line) => ROW.exec(line)?.[1] ?? [])
}

function faultsOf(name: string): string[] {
  return TAG.exec(name)?.[1]?.split(', ') ?? []
}

function link({ file, name }: FaultTest): string {
  return `[${name.replaceAll(/[|<>[\]]/g, (character) => `\\${character}`)}](../${file})`
}

function withSeenColumn(line: string): string {
  if (line.startsWith('| id ')) return `${line} seen |`
  return line.startsWith('| ---') ? `${line} --- |` : line
}

/** Passed, failed and skipped tests of a fault, and their seconds. */
function outcomes(reports: readonly Report[]): (id: string) => string {
  const all = reports
    .flatMap(({ testResults }) => testResults)
    .flatMap(({ assertionResults }) => assertionResults)
    .map((result) => ({ ...result, ids: faultsOf(result.fullName) }))
  return (id) => {
    const own = all.filter(({ ids }) => ids.includes(id))
    const seconds = own.reduce((sum, { duration }) => sum + (duration ?? 0), 0) / 1000
    const counts = Map.groupBy(own, ({ status }) => status)
    const text = [...counts].map(([status, tests]) => `${tests.length} ${status}`).join(', ')
    return text === '' ? 'not run' : `${text} in ${seconds.toFixed(1)} s`
  }
}

if (import.meta.main) {
  const files = process.argv.slice(2)
  const page = readFileSync(PAGE, 'utf8')
  if (files.some((file) => file.startsWith('-'))) {
    process.stdout.write(USAGE)
  } else if (files.length === 0) {
    writeFileSync(PAGE, faultPage(page, faultTests()))
  } else {
    const reports = files.map((file) => readReport(readFileSync(file, 'utf8')))
    process.stdout.write(faultPage(page, faultTests(), reports))
  }
}
