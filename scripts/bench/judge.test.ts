import { expect, test } from 'vitest'
import { BUDGETS } from './budgets.ts'
import { budgetTable, judge } from './judge.ts'

const verdictOf = (figure: string, value: number): string | undefined =>
  judge({ [figure]: value }).find((each) => each.figure === figure)?.verdict

test('a figure meets its aim, its budget or neither', () => {
  expect(verdictOf('held 1 composer ms', 50)).toBe('aim met')
  expect(verdictOf('held 1 composer ms', 80)).toBe('met')
  expect(verdictOf('held 1 composer ms', 81)).toBe('not met')
})

test('a figure below a budget of the kind `least` is not met', () => {
  const figure = 'upload 1024 ours 2x8 MiB speed x fastest'
  expect(verdictOf(figure, 0.79)).toBe('not met')
  expect(verdictOf(figure, 0.8)).toBe('met')
  expect(verdictOf(figure, 1.2)).toBe('aim met')
})

test('a figure that was not measured is listed with its command', () => {
  const text = budgetTable(judge({ 'storm 32x100 lost': 0 }))
  expect(text).toMatch(/ 0 \| +≤ 0 \|/)
  expect(text).toContain('not measured: crash of 1.5 MiB: process held\n')
  expect(text).toContain('  npm run bench -- held\n')
})

test('each budget has a figure of its own', () => {
  expect(new Set(BUDGETS.map(({ figure }) => figure)).size).toBe(BUDGETS.length)
})
