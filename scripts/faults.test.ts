import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { faultIds, faultPage, faultTests, PAGE } from './faults.ts'

const page = readFileSync(PAGE, 'utf8')

describe('docs/faults.md', () => {
  test('is what `node scripts/faults.ts` writes', () => {
    expect(faultPage(page, faultTests())).toBe(page)
  })

  test('has a test for each row', () => {
    const tested = new Set(faultTests().flatMap(({ ids }) => ids))
    expect(faultIds(page).filter((id) => !tested.has(id))).toEqual([])
  })

  test('has one row for each fault that a test names', () => {
    const rows = faultIds(page)
    expect(new Set(rows).size).toBe(rows.length)
    const unknown = faultTests().filter(({ ids }) => !ids.every((id) => rows.includes(id)))
    expect(unknown).toEqual([])
  })
})

const result = (fullName: string, status: string) => ({ fullName, status, duration: 1500 })

test('reports add a column with the outcome of each fault', () => {
  const table = [
    '| id | fault | expected | tests |',
    '| --- | --- | --- | --- |',
    '| agent-1 | f | e |  |',
    '| agent-2 | f | e |  |',
  ].join('\n')
  const name = '/x.test.ts'
  const assertionResults = [
    result('a group is sent [agent-1, B5]', 'passed'),
    result('a group is kept [agent-1]', 'failed'),
  ]
  const report = { testResults: [{ name, status: 'failed', assertionResults }] }
  expect(faultPage(table, [], [report]).split('\n')).toEqual([
    '| id | fault | expected | tests | seen |',
    '| --- | --- | --- | --- | --- |',
    '| agent-1 | f | e |  | 1 passed, 1 failed in 3.0 s |',
    '| agent-2 | f | e |  | not run |',
  ])
})
