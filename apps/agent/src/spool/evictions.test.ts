import { expect, test } from 'vitest'
import { chooseEvictions, type SpoolFile } from './evictions.ts'

const NONE = { maxBytes: 0, maxFiles: 0, maxAgeMs: 0 }
const NOW = 1_000_000

/** `a3` is the third oldest bundle of workload a. */
function file(name: string, more: Partial<SpoolFile> = {}): SpoolFile {
  const mtimeMs = Number(name.slice(1)) * 1000
  return {
    name,
    bytes: 100_000,
    mtimeMs,
    workload: name.slice(0, 1),
    hasCore: true,
    busy: false,
    ...more,
  }
}

const names = (files: readonly SpoolFile[], limits: Partial<typeof NONE>): string[] =>
  chooseEvictions(files, { ...NONE, ...limits }, NOW).map(({ file: { name } }) => name)

test('nothing is evicted without limits or within them', () => {
  const files = [file('a1'), file('a2'), file('b1')]
  expect(names(files, {})).toEqual([])
  expect(names(files, { maxBytes: 300_000, maxFiles: 3, maxAgeMs: NOW })).toEqual([])
})

test('the oldest bundles of the largest workload are evicted to a tenth below the limit, never its first', () => {
  const files = ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1'].map((name) => file(name))
  expect(names(files, { maxBytes: 600_000 })).toEqual(['a2', 'a3'])
  expect(names(files, { maxFiles: 5 })).toEqual(['a2', 'a3', 'a4', 'b2'])
  expect(names(files, { maxBytes: 1 })).toEqual(['a2', 'a3', 'a4', 'b2'])
})

test('the largest workload by bytes is not the largest by number', () => {
  const files = [file('a1'), file('a2'), file('a3'), file('b1'), file('b2', { bytes: 500_000 })]
  expect(names(files, { maxBytes: 850_000 })).toEqual(['b2'])
  expect(names(files, { maxFiles: 4 })).toEqual(['a2', 'a3', 'b2'])
})

test('a bundle that is being uploaded stays, also as the first of its workload', () => {
  const files = [file('a1', { busy: true }), file('a2', { busy: true }), file('a3')]
  expect(names(files, { maxBytes: 1 })).toEqual(['a3'])
})

test('the age limit evicts cores, not records, and not the first core', () => {
  const files = [file('a1'), file('a2'), file('a3', { hasCore: false }), file('a900')]
  expect(names(files, { maxAgeMs: 500_000 })).toEqual(['a2'])
})

test('records are replaced by one record of all, once no core can be evicted', () => {
  const records = Array.from({ length: 10 }, (_, i) => file(`a${i + 2}`, { hasCore: false }))
  expect(names([file('a1'), ...records], { maxFiles: 5 })).toHaveLength(8)
  const single = [
    file('a1'),
    file('a2', { hasCore: false }),
    file('b1'),
    file('b2', { hasCore: false }),
  ]
  expect(names(single, { maxFiles: 1 })).toEqual([])
})

test('of 20,000 bundles of 1,000 workloads as many stay as the limit allows', () => {
  const files = Array.from({ length: 20_000 }, (_, i) =>
    file(`a${i}`, { workload: String(i % 1000) }),
  )
  const drops = chooseEvictions(files, { ...NONE, maxFiles: 10_000 }, NOW)
  expect(drops).toHaveLength(20_000 - 9000 + 1000)
})
