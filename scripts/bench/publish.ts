import { writeFileSync } from 'node:fs'
import { machine, type Machine } from './machine.ts'

/** Options that every benchmark has, for `parseArgs`. */
export const COMMON_OPTIONS = {
  json: { type: 'boolean', default: false },
  report: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

export const COMMON_USAGE = `  --json           one JSON document on standard output instead of tables
  --report FILE    write that document to a file, beside the tables
`

export interface Published {
  /** By the names that `budgets.ts` knows them by. */
  readonly figures: Readonly<Record<string, number>>
  /** What could not be measured here, and what to do about it. */
  readonly missing?: readonly string[]
  readonly [fact: string]: unknown
}

export interface Report extends Published {
  readonly machine: Machine
}

/** The end of a benchmark: its document goes where `--json` and `--report` say. */
export function publish(
  { json, report }: { readonly json: boolean; readonly report?: string | undefined },
  published: Published,
): void {
  const document: Report = { machine: machine(), ...published }
  const text = `${JSON.stringify(document)}\n`
  if (report !== undefined) writeFileSync(report, text)
  if (json) process.stdout.write(text)
}

/** Print progress to standard error, so that `--json` stays clean. */
export function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}
