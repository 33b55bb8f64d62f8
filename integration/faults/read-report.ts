import { readFileSync, statSync } from 'node:fs'
import type { Seen } from './seen.ts'

/** The part of vitest's JSON report that is of use. */
interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly assertionResults: readonly Result[]
  }[]
}

interface Result {
  readonly title: string
  readonly ancestorTitles: readonly string[]
  readonly status: string
  readonly duration?: number | null
}

/** What the report of a run, at `path`, shows of a test; undefined where it did not run. */
export function readReport(path: string): (test: string) => Seen | undefined {
  const { testResults } = JSON.parse(readFileSync(path, 'utf8')) as Report
  const on = statSync(path).mtime.toISOString().slice(0, 10)
  return (test) => {
    const [file = '', name = ''] = test.split(' › ')
    const title = titleOf(name)
    const results = testResults
      .filter((each) => each.name.endsWith(`/${file}`))
      .flatMap(({ assertionResults }) => assertionResults)
      .filter((each) => [each.title, ...each.ancestorTitles].some((one) => title.test(one)))
    const with_ = (status: string): number => results.filter((one) => one.status === status).length
    const [passed, failed] = [with_('passed'), with_('failed')]
    if (passed + failed === 0) return undefined
    const ms = results.reduce((sum, { duration }) => sum + (duration ?? 0), 0)
    return { on, passed, failed, ms: Math.round(ms) }
  }
}

/** A title as it stands in the source has places for values: `%s`, `$name`, `${…}`. */
function titleOf(name: string): RegExp {
  const words = name.split(/%[sdifjoOc#]|\$\{[^}]*\}|\$[\w.]+/)
  const literal = words.map((word) => word.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${literal.join('[^]*')}$`)
}
