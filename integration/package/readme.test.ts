import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT } from '../../scripts/set-up/root.mjs'
import { PUBLISHED } from './workspace.ts'

let scratch: string

beforeAll(async () => {
  // inside the repository, so that the packages are found by name; its sources are what runs
  const cache = join(ROOT, '.cache')
  await mkdir(cache, { recursive: true })
  scratch = await mkdtemp(join(cache, 'readme-'))
})

afterAll(() => rm(scratch, { recursive: true, force: true }))

test.for(PUBLISHED)('the README of $name has an example that imports it', ({ name, example }) => {
  expect(example).toContain(`from '${name}'`)
})

test.for(PUBLISHED)('the example of $name runs from its sources', async ({ name, example }) => {
  const file = join(scratch, `${name.split('/')[1]}.ts`)
  await writeFile(file, example)
  const args = ['--conditions=@core-dump-handler/source', file]
  // an example leaves its bundle, so that its reader can look at it
  await execa(process.execPath, args, { timeout: 60_000, env: { TMPDIR: scratch } })
})
