import * as v from 'valibot'

/** The part of vitest's JSON report that is counted. */
export type Report = v.InferOutput<typeof REPORT>

const RESULT = v.object({
  status: v.string(),
  fullName: v.string(),
  /** In milliseconds; a test that did not run has none. */
  duration: v.optional(v.nullable(v.number())),
})
const REPORT = v.object({
  testResults: v.array(
    v.object({ name: v.string(), status: v.string(), assertionResults: v.array(RESULT) }),
  ),
})

/** A report from its JSON text; throws where it has another shape. */
export function readReport(text: string): Report {
  return v.parse(REPORT, JSON.parse(text))
}

/** Outcomes of some tests. */
export interface Tally {
  readonly passed: number
  readonly failed: number
  /** Full names of the tests that were skipped. */
  readonly skipped: readonly string[]
}

export const EMPTY: Tally = { passed: 0, failed: 0, skipped: [] }

/** Count a report; a file that could not be loaded is a failure though it holds no test. */
export function count({ testResults }: Report): Tally {
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults)
  const broken = testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  )
  return {
    passed: tests.filter(({ status }) => status === 'passed').length,
    failed: tests.filter(({ status }) => status === 'failed').length + broken.length,
    skipped: tests
      .filter(({ status }) => status !== 'passed' && status !== 'failed')
      .map(({ fullName }) => fullName),
  }
}

export function add(a: Tally, b: Tally): Tally {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: [...a.skipped, ...b.skipped],
  }
}

export function describeTally({ passed, failed, skipped }: Tally): string {
  return [
    `${passed} passed`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(skipped.length > 0 ? [`${skipped.length} skipped`] : []),
  ].join(', ')
}
