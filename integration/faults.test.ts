import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { faultMatrix, SECTIONS } from './faults/matrix.ts'
import { describeSeen, seenTests } from './faults/seen.ts'

const ROOT = new URL('..', import.meta.url).pathname
const ROWS = SECTIONS.flatMap(({ rows }) => rows)

/** Whether a text stands in quotes in a file. */
function names(file: string, text: string): boolean {
  const source = readFileSync(join(ROOT, file), 'utf8')
  return [`'${text}'`, `"${text}"`, `\`${text}\``].some((quoted) => source.includes(quoted))
}

describe('the fault matrix', () => {
  test('has each fault once, and every one of the 34 of version 9', () => {
    const ids = ROWS.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids).toEqual(expect.arrayContaining(Array.from({ length: 34 }, (_, n) => `B${n + 1}`)))
    expect(ids.length).toBeGreaterThanOrEqual(40)
  })

  test.for(ROWS)('$id ($fails) names tests that exist', ({ tests }) => {
    expect(tests.length).toBeGreaterThan(0)
    for (const each of tests) {
      const [file = '', name = ''] = each.split(' › ')
      expect(existsSync(join(ROOT, file)), file).toBe(true)
      expect(names(file, name), each).toBe(true)
    }
  })

  test.for(ROWS)('$id ($fails) was seen to hold', ({ tests }) => {
    const seen = seenTests()
    expect(tests.filter((each) => seen[each] === undefined)).toEqual([])
    expect(tests.filter((each) => seen[each]?.failed !== 0)).toEqual([])
    expect(describeSeen(tests, seen)).toMatch(/^\d+ passed in [\d.]+ s, 20/)
  })

  test('is what `node integration/faults/write.ts` prints', () => {
    expect(readFileSync(join(ROOT, 'integration/faults.md'), 'utf8')).toBe(faultMatrix())
  })
})
