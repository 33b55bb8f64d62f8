import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { test } from '@core-dump-handler/testing/agent/scratch-node'
import { ManifestCache } from './queue-observer.ts'

describe('ManifestCache', () => {
  test('removes bundles that another program deletes', async ({ node }) => {
    const cache = new ManifestCache()
    for (let n = 0; n < 2500; n++) {
      const file = join(node.coreDir, `${n}.zip`)
      await writeFile(file, '')
      void cache.add(file)
      cache.forget(file)
      await rm(file)
    }
    expect(cache.size).toBeLessThan(1001)
  })
})
