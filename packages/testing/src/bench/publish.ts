import { writeFileSync } from 'node:fs'
import { machine, type Machine } from './machine.ts'

/** The options of every benchmark, for `parseArgs`. */
export const COMMON_OPTIONS = {
  json: { type: 'boolean', default: false },
  report: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

export const COMMON_USAGE = `  --json           one JSON document on standard output instead of tables
  --report FILE    write that document to a file, beside the tables
`

export interface Published {
  /** By the names in `scripts/bench/budgets.ts`. */
  readonly figures: Readonly<Record<string, number>>
  /** What could not be measured here, and how to change that. */
  readonly missing?: readonly string[]
  readonly [fact: string]: unknown
}

export interface Report extends Published {
  readonly machine: Machine
}

/** Writes the results of a benchmark where `--json` and `--report` want them. */
export function publish(
  { json, report }: { readonly json: boolean; readonly report?: string | undefined },
  published: Published,
): void {
  const document: Report = { machine: machine(), ...published }
  const text = `${JSON.stringify(document)}\n`
  if (report !== undefined) writeFileSync(report, text)
  if (json) process.stdout.write(text)
}

/** Writes a line of progress to standard error: standard output is for `--json`. */
export function log(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** Whether parsed JSON is the document of a benchmark. */
export function isReport(json: unknown): json is Report {
  if (typeof json !== 'object' || json === null) return false
  if (!('figures' in json) || !('machine' in json)) return false
  const { figures } = json
  if (typeof figures !== 'object' || figures === null) return false
  return Object.values(figures).every((figure) => typeof figure === 'number')
}
