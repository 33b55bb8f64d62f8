import { expect, test } from 'vitest'
import { add, count, describeTally } from './test-report.ts'

const file = (status: string, ...tests: string[]) => ({
  name: 'x.test.ts',
  status,
  assertionResults: tests.map((each) => ({ status: each, fullName: `is ${each}` })),
})

test('counts what passed and failed, and names what was skipped', () => {
  const report = {
    testResults: [file('failed', 'passed', 'failed', 'skipped'), file('passed', 'todo')],
  }
  expect(count(report)).toEqual({ passed: 1, failed: 1, skipped: ['is skipped', 'is todo'] })
})

test('a file that could not be loaded is a failure', () => {
  expect(count({ testResults: [file('failed')] })).toMatchObject({ passed: 0, failed: 1 })
})

test('a file whose hook failed after its tests passed is a failure', () => {
  expect(count({ testResults: [file('failed', 'passed')] })).toMatchObject({ passed: 1, failed: 1 })
})

test('tallies add up, and a count of zero is left out', () => {
  const sum = add({ passed: 1, failed: 0, skipped: [] }, { passed: 2, failed: 0, skipped: ['a'] })
  expect(describeTally(sum)).toBe('3 passed, 1 skipped')
})
