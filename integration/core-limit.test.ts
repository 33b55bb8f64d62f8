import { beforeAll, expect, onTestFinished, test } from 'vitest'
import type { Bundle } from './harness/bundle.ts'
import { runToDeath } from './harness/host-victim.ts'
import { TestNode } from './harness/node.ts'
import type { ObjectStore } from './harness/object-store.ts'
import { realParts } from './harness/requirements.ts'
import { startVersitygw } from './harness/versitygw.ts'
import { victim } from './harness/victims.ts'

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
      const pid = await runToDeath('/bin/sh', ['-c', script, victim('crasher')])
      return node.inbox.one(({ manifest }) => manifest.crash.hostPid === pid)
    })
  }

  test('is taken for what nobody chose: the core is kept', async () => {
    const { manifest } = await crash('0')
    expect(manifest.crash.coreLimit).toBe('0')
    expect(manifest.core.complete).toBe(true)
    expect(manifest.core.bytes).toBeGreaterThan(2 << 20)
  })

  test('is honored on demand: a record without a core says so', async () => {
    const bundle = await crash('0', { HONOR_CORE_LIMIT: 'true' })
    expect(bundle.shortNames).not.toContain('.core')
    expect(bundle.manifest.core).toMatchObject({ bytes: 0, complete: false })
    expect(bundle.manifest.core.reason).toMatch(/limit/i)
  })
})
