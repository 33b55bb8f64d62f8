import { test as base } from 'vitest'
import { removeScratch, scratchDirectory } from './scratch-directory.ts'

/** `test` with a directory of its own, removed afterwards. Programs outside vitest use `scratch-directory`. */
export const test = base.extend<{ dir: string }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads the parameter list
  dir: async ({}, use) => {
    const dir = scratchDirectory()
    await use(dir)
    removeScratch(dir)
  },
})
