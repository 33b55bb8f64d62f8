import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base } from 'vitest'

/** A test with a directory of its own. */
export const test = base.extend<{ dir: string }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads the parameter list
  dir: async ({}, use) => {
    const dir = await mkdtemp(join(tmpdir(), 'ingest-'))
    await use(dir)
    await rm(dir, { recursive: true })
  },
})
