import { statSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Bundle } from '@core-dump-handler/testing/bundle/bundle'
import { backtrace } from '@core-dump-handler/testing/bundle/core'
import { TestNode } from '@core-dump-handler/testing/agent/test-node'
import { runUntilCrash, testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { compile, programSource } from '@core-dump-handler/testing/report/programs'
import type { ObjectStore } from '@core-dump-handler/testing/store/object-store'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { realParts } from '../real-parts.ts'

const REPORT = ['-report.json', '-report.txt', '-mini.core', '-manifest.json']
const RECORD = ['-dump-info.json', '-pod-info.json', ...REPORT]

realParts('crashes at one place', () => {
  let store: ObjectStore

  beforeAll(async () => {
    store = await startVersitygw()
    return () => store.stop()
  })

  function prepareNode(): TestNode {
    const env = { COMP_CORES_PER_FINGERPRINT: '1' }
    const node = new TestNode({ store, env })
    onTestFinished(() => node.dispose())
    return node
  }

  test('have so many cores, then report and minicore; another place has a count of its own', async () => {
    const node = prepareNode()
    const { directory, hostDir } = node.agent
    compile(directory, 'gcc', ['-g', '-O1', '-pthread', '-o', 'crash', programSource('crash.c')])
    const program = join(directory, 'crash')
    const bundles = await node.prepared(async () => {
      const all: Bundle[] = []
      for (const mode of ['here', 'here', 'there', 'here']) {
        all.push(await crash(node, program, mode))
      }
      const counts = readdirSync(join(hostDir, 'fingerprints'))
      expect(counts).toHaveLength(2)
      for (const name of counts) {
        const { size, mode } = statSync(join(hostDir, 'fingerprints', name))
        expect([size, mode & 0o777]).toEqual([1, 0o600])
      }
      return all
    })
    const cores = bundles.map(({ manifest }) => manifest.core)
    expect(cores.map(({ complete, reasonCode }) => reasonCode ?? complete)).toEqual([
      true,
      'CORE_REPEATED',
      true,
      'CORE_REPEATED',
    ])
    const ids = bundles.map(({ manifest }) => manifest.fingerprint?.id)
    expect(ids).toEqual([ids[0], ids[0], ids[2], ids[0]])
    expect(ids[2]).not.toBe(ids[0])
    for (const bundle of [bundles[1], bundles[3]]) {
      expect(bundle?.shortNames).toEqual(RECORD)
      expect(bundle?.manifest.topFrame).toBe('crash_here (crash)')
      const minicore = (await bundle?.extract('-mini.core')) ?? ''
      expect(await backtrace(program, minicore)).toMatch(/#0 .*crash_here.*\n(.*\n)*.* main /)
    }
  })

  test('hold a large process and one of many threads only for their stacks', async () => {
    const node = prepareNode()
    const { directory } = node.agent
    compile(directory, 'gcc', ['-g', '-O1', '-pthread', '-o', 'crash', programSource('crash.c')])
    const [large, largeAgain, threads, threadsAgain] = await node.prepared(async () => [
      await crash(node, testProgram('crasher'), '-l', '0', '-m', '400'),
      await crash(node, testProgram('crasher'), '-l', '0', '-m', '400'),
      // their notes are longer than what is read ahead
      await crash(node, join(directory, 'crash'), 'threads', '700'),
      await crash(node, join(directory, 'crash'), 'threads', '700'),
    ])
    for (const bundle of [largeAgain, threadsAgain]) {
      expect(bundle?.manifest.core.reasonCode).toBe('CORE_REPEATED')
      expect(bundle?.shortNames).toEqual(RECORD)
      expect(bundle?.manifest.topFrame).toMatch(/^crash_here \(crash/)
    }
    expect(large?.manifest.core.complete).toBe(true)
    expect(threads?.manifest.core.complete).toBe(true)
    expect(largeAgain?.manifest.timings.heldMs).toBeLessThan(heldMs(large) / 2)
  })
})

async function crash(node: TestNode, program: string, ...args: string[]): Promise<Bundle> {
  const pid = await runUntilCrash(program, args)
  return node.bundles.one(({ manifest }) => manifest.crash.hostPid === pid)
}

const heldMs = (bundle: Bundle | undefined): number => bundle?.manifest.timings.heldMs ?? 0
