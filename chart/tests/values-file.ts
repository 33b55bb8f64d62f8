import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base } from 'vitest'

/** A test with a scratch directory. */
export const test = base.extend<{ scratch: string }>({
  // oxlint-disable-next-line no-empty-pattern
  scratch: async ({}, use) => {
    const scratch = await mkdtemp(join(tmpdir(), 'chart-'))
    await use(scratch)
    await rm(scratch, { recursive: true })
  },
})

/** Writes a values file, because `--set` makes other types of the same text. */
export async function valuesFile(scratch: string, text: string): Promise<string> {
  const path = join(scratch, 'values.yaml')
  await writeFile(path, text)
  return path
}
