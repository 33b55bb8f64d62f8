import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { test } from '@core-dump-handler/testing/agent/scratch-node'
import { BundleBook } from './manifest-cache.ts'

test('a bundle that is tried again is told of once', async ({ node }) => {
  const file = join(node.coreDir, 'a.zip')
  await writeFile(file, 'no zip')
  let told = 0
  const book = new BundleBook(() => told++)
  for (let n = 0; n < 3; n++) {
    book.takeUp(file)
    book.putBack(file)
  }
  book.takeUp(file)
  await book.close(file)
  await expect.poll(() => told).toBe(1)
  expect(book.size).toBe(0)
})

test('bundles that somebody else takes away are forgotten', async ({ node }) => {
  const book = new BundleBook(() => undefined)
  for (let n = 0; n < 2500; n++) {
    const file = join(node.coreDir, `${n}.zip`)
    await writeFile(file, '')
    book.takeUp(file)
    book.putBack(file)
    await rm(file)
  }
  expect(book.size).toBeLessThan(1001)
})
