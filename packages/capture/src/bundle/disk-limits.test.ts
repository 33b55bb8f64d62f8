import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { freeBytes } from '../decide/select.ts'
import { parseComposerSettings } from '../settings/index.ts'
import { watchCore } from './disk-limits.ts'

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

test('cuts a core that would fill the disk before the next look, and reports it once', () => {
  const pace = freeBytes(tmpdir()) + TiB
  const [reason, ...others] = watched('1', [1000, 1000 + pace, 1000 + 2 * pace])
  expect(reason).toMatch(/came down to \d+ bytes free, the core took \d+ since the last look$/)
  expect(others).toEqual([])
})

test('does not cut a large core that comes slowly', () => {
  expect(watched('1', [1000, 2000, 3000])).toEqual([])
})

test('cuts below MIN_FREE_BYTES, and never without it', () => {
  const all = String(Number.MAX_SAFE_INTEGER)
  expect(watched(all, [1000])).toEqual([
    expect.stringMatching(/bytes free, MIN_FREE_BYTES is 9007199254740991$/),
  ])
  expect(watched('0', [1000, 1000 * TiB])).toEqual([])
})

test('does not cut a core when the directory is gone', () => {
  expect(watched('1', [1000, 2000], '/nowhere')).toEqual([])
})
