import { BUDGETS, type Budget } from './budgets.ts'
import { markdownTable, type Column } from '@core-dump-handler/testing/bench/markdown-table'

/** A budget beside what was measured. */
export interface Judged extends Budget {
  readonly value?: number
  readonly verdict: 'aim met' | 'met' | 'not met' | 'not measured'
}

/** Every budget beside its figure; none of them fails anything: a busy machine is no fault of ours. */
export function judge(figures: Readonly<Record<string, number>>): Judged[] {
  return BUDGETS.map((budget) => {
    const value = figures[budget.figure]
    if (value === undefined) return { ...budget, verdict: 'not measured' }
    const within = (bound: number): boolean =>
      budget.bound === 'least' ? value >= bound : value <= bound
    if (!within(budget.must)) return { ...budget, value, verdict: 'not met' }
    const { aim = budget.must } = budget
    return { ...budget, value, verdict: within(aim) ? 'aim met' : 'met' }
  })
}

/** As Markdown. */
export function budgetTable(judged: readonly Judged[]): string {
  const columns: Column<Judged>[] = [
    ['figure', ({ what }) => what],
    [
      'measured',
      ({ value, unit }) => (value === undefined ? '-' : `${short(value)} ${unit}`.trimEnd()),
    ],
    ['budget', (each) => limit(each, each.must)],
    ['aim', (each) => limit(each, each.aim)],
    ['', ({ verdict }) => verdict],
  ]
  const measured = judged.filter(({ value }) => value !== undefined)
  const others = judged.filter(({ value }) => value === undefined)
  const commands = new Set(others.map(({ command }) => command))
  return [
    markdownTable('Budgets', columns, measured),
    ...others.map(({ what }) => `not measured: ${what.trim()}`),
    ...[...commands].map((command) => `  npm run bench -- ${command}`),
    '',
  ].join('\n')
}

function limit({ bound, unit }: Budget, value: number | undefined): string {
  if (value === undefined) return '-'
  return `${bound === 'least' ? '≥' : '≤'} ${value} ${unit}`.trimEnd()
}

function short(value: number): string {
  if (Number.isInteger(value) || value >= 100) return value.toFixed(0)
  return value.toFixed(value >= 10 ? 1 : 2)
}
