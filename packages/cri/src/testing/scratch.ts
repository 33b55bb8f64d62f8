import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base } from 'vitest'

/** `test` with a directory of its own, removed afterwards. */
export const test = base.extend<{ dir: string }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads the parameter list
  dir: async ({}, use) => {
    const dir = await mkdtemp(join(tmpdir(), 'cri-'))
    await use(dir)
    await rm(dir, { recursive: true, force: true })
  },
})
