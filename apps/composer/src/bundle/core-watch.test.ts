import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { parseComposerSettings } from '../settings/parse.ts'
import { freeBytes, watchCore } from './core-watch.ts'

const TiB = 2 ** 40

function watched(
  minFreeBytes: string,
  storedBytes: readonly number[],
  directory: string = tmpdir(),
): string[] {
  const { settings } = parseComposerSettings({ MIN_FREE_BYTES: minFreeBytes })
  const reasons: string[] = []
  const watch = watchCore(directory, settings, (reason) => reasons.push(reason))
  for (const bytes of storedBytes) watch({ bytes, storedBytes: bytes })
  return reasons
}

test('cuts a core that would fill the disk before the next look, and says so once', () => {
  const pace = freeBytes(tmpdir()) + TiB
  const [reason, ...others] = watched('1', [1000, 1000 + pace, 1000 + 2 * pace])
  expect(reason).toMatch(/came down to \d+ bytes free, the core took \d+ since the last look$/)
  expect(others).toEqual([])
})

test('lets a core go on that is large, but slow enough to be watched', () => {
  expect(watched('1', [1000, 2000, 3000])).toEqual([])
})

test('cuts below the floor, and without one never', () => {
  const all = String(Number.MAX_SAFE_INTEGER)
  expect(watched(all, [1000])).toEqual([
    expect.stringMatching(/bytes free, MIN_FREE_BYTES is 9007199254740991$/),
  ])
  expect(watched('0', [1000, 1000 * TiB])).toEqual([])
})

test('a directory that is gone costs no core', () => {
  expect(watched('1', [1000, 2000], '/nowhere')).toEqual([])
})
