import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { test } from '@core-dump-handler/testing/agent/scratch-node'
import { ManifestCache } from './manifest-cache.ts'

describe('ManifestCache', () => {
  test('reports a bundle once that is tried several times', async ({ node }) => {
    const file = join(node.coreDir, 'a.zip')
    await writeFile(file, 'no zip')
    let seen = 0
    const cache = new ManifestCache(() => seen++)
    for (let n = 0; n < 3; n++) {
      cache.add(file)
      cache.forget(file)
    }
    cache.add(file)
    await cache.take(file)
    await expect.poll(() => seen).toBe(1)
    expect(cache.size).toBe(0)
  })

  test('removes bundles that another program deletes', async ({ node }) => {
    const cache = new ManifestCache(() => undefined)
    for (let n = 0; n < 2500; n++) {
      const file = join(node.coreDir, `${n}.zip`)
      await writeFile(file, '')
      cache.add(file)
      cache.forget(file)
      await rm(file)
    }
    expect(cache.size).toBeLessThan(1001)
  })
})
