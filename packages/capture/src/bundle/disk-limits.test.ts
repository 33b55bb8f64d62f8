import { tmpdir } from 'node:os'
import { expect, it } from 'vitest'
import { freeBytes } from '../decide/select.ts'
import { parseComposerSettings } from '../settings/index.ts'
import { SpaceWatch } from './disk-limits.ts'

const TiB = 2 ** 40

async function watched(
  minFreeBytes: string,
  storedBytes: readonly number[],
  directory: string = tmpdir(),
): Promise<string[]> {
  const { settings } = parseComposerSettings({ MIN_FREE_BYTES: minFreeBytes })
  const reasons: string[] = []
  const watch = new SpaceWatch(directory, settings, (reason) => reasons.push(reason))
  for (const bytes of storedBytes) await watch.update({ bytes, storedBytes: bytes })
  return reasons
}

it('cuts a core that would fill the disk before the next look, and reports it once', async () => {
  const pace = (await freeBytes(tmpdir())) + TiB
  const [reason, ...others] = await watched('1', [1000, 1000 + pace, 1000 + 2 * pace])
  expect(reason).toMatch(/came down to \d+ bytes free, the core took \d+ since the last look$/)
  expect(others).toEqual([])
})

it('does not cut a large core that comes slowly', async () => {
  expect(await watched('1', [1000, 2000, 3000])).toEqual([])
})

it('cuts below MIN_FREE_BYTES, and never without it', async () => {
  const all = String(Number.MAX_SAFE_INTEGER)
  expect(await watched(all, [1000])).toEqual([
    expect.stringMatching(/bytes free, MIN_FREE_BYTES is 9007199254740991$/),
  ])
  expect(await watched('0', [1000, 1000 * TiB])).toEqual([])
})

it('does not cut a core when the directory is gone', async () => {
  expect(await watched('1', [1000, 2000], '/nowhere')).toEqual([])
})
