import { beforeAll, expect, onTestFinished, test } from 'vitest'
import type { Bundle } from '@core-dump-handler/testing/bundle/bundle'
import { runUntilCrash } from '@core-dump-handler/testing/kernel/test-program'
import { TestNode } from '@core-dump-handler/testing/agent/test-node'
import type { ObjectStore } from '@core-dump-handler/testing/store/object-store'
import { realParts } from '../real-parts.ts'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'

realParts('a core limit of 0', () => {
  let store: ObjectStore

  beforeAll(async () => {
    store = await startVersitygw()
    return () => store.stop()
  })

  async function crash(limit: string, env: Record<string, string> = {}): Promise<Bundle> {
    const node = new TestNode({ store, env })
    onTestFinished(() => node.dispose())
    return node.prepared(async () => {
      const script = `ulimit -S -c ${limit}; exec "$0" -m 2`
      const pid = await runUntilCrash('/bin/sh', ['-c', script, testProgram('crasher')])
      return node.bundles.one(({ manifest }) => manifest.crash.hostPid === pid)
    })
  }

  test('keeps the core by default [B28]', async () => {
    const { manifest } = await crash('0')
    expect(manifest.crash.coreLimit).toBe('0')
    expect(manifest.core.complete).toBe(true)
    expect(manifest.core.bytes).toBeGreaterThan(2 << 20)
  })

  test('writes a record without a core where the setting honors it [B28]', async () => {
    const bundle = await crash('0', { HONOR_CORE_LIMIT: 'true' })
    expect(bundle.shortNames).not.toContain('.core')
    expect(bundle.manifest.core).toMatchObject({ bytes: 0, complete: false })
    expect(bundle.manifest.core.reason).toMatch(/limit/i)
  })
})
