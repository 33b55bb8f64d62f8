import { expect, onTestFinished, test } from 'vitest'
import { backtrace, promisedBytes } from './harness/core.ts'
import { runToDeath } from './harness/host-victim.ts'
import { TestNode } from './harness/node.ts'
import { realParts } from './harness/requirements.ts'
import { startVersitygw } from './harness/versitygw.ts'
import { victim } from './harness/victims.ts'

const FOUR_GIB = 2 ** 32

realParts('a core above 4 GiB', () => {
  test('comes through the pipe whole, and its zeros take no room', async () => {
    const store = await startVersitygw()
    onTestFinished(() => store.stop())
    const node = new TestNode({ store })
    onTestFinished(() => node.dispose())

    const bundle = await node.prepared(async () => {
      const pid = await runToDeath(victim('crasher'), ['-S', '4', '-m', '1'])
      return node.inbox.one(({ manifest }) => manifest.crash.hostPid === pid)
    })

    const core = await bundle.extractCore()
    const promised = await promisedBytes(core)
    expect(promised).toBeGreaterThan(FOUR_GIB)
    expect(bundle.entry('.core').bytes).toBe(promised)
    expect(bundle.entry('.core').storedBytes).toBeLessThan(64 << 20)
    expect(bundle.manifest.core).toMatchObject({ expectedBytes: promised, complete: true })
    expect(await backtrace(victim('crasher'), core)).toMatch(/#0 .*crash_here/)
  })
})
