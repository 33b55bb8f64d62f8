import { expect, onTestFinished, test } from 'vitest'
import { backtrace, promisedBytes } from '@core-dump-handler/testing/bundle/core'
import { runUntilCrash } from '@core-dump-handler/testing/kernel/test-program'
import { TestNode } from '@core-dump-handler/testing/agent/test-node'
import { realParts } from '../real-parts.ts'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'

const FOUR_GIB = 2 ** 32

realParts('a core above 4 GiB', () => {
  test('is stored complete, and its zeros take no space [attack-9]', async () => {
    const store = await startVersitygw()
    onTestFinished(() => store.stop())
    const node = new TestNode({ store })
    onTestFinished(() => node.dispose())

    const bundle = await node.prepared(async () => {
      const pid = await runUntilCrash(testProgram('crasher'), ['-S', '4', '-m', '1'])
      return node.bundles.one(({ manifest }) => manifest.crash.hostPid === pid)
    })

    const core = await bundle.extractCore()
    const promised = await promisedBytes(core)
    expect(promised).toBeGreaterThan(FOUR_GIB)
    expect(bundle.entry('.core').bytes).toBe(promised)
    expect(bundle.entry('.core').storedBytes).toBeLessThan(64 << 20)
    expect(bundle.manifest.core).toMatchObject({ expectedBytes: promised, complete: true })
    expect(await backtrace(testProgram('crasher'), core)).toMatch(/#0 .*crash_here/)
  })
})
