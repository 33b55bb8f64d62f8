import { expect, onTestFinished, test } from 'vitest'
import type { Bundle } from '@core-dump-handler/testing/bundle/bundle'
import { backtrace, promisedBytes } from '@core-dump-handler/testing/bundle/core'
import { runUntilCrash } from '@core-dump-handler/testing/kernel/test-program'
import { TestNode } from '@core-dump-handler/testing/agent/test-node'
import { runPod } from '@core-dump-handler/testing/containerd/pod'
import { realParts } from '../real-parts.ts'
import { storeAndRuntime } from '@core-dump-handler/testing/agent/test-node'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'

// what a careless writer would let through into a path, a log line, a JSON text
const HOSTILE = Buffer.from('a"b\'\nERROR - \xff/', 'latin1')

realParts('a crash on the host or under a hostile name', () => {
  const parts = storeAndRuntime()

  function prepareNode(): TestNode {
    const node = new TestNode(parts)
    onTestFinished(() => node.dispose())
    return node
  }

  test('is identified as the host’s when the process is in no container [identity-18]', async () => {
    const bundle = await crashOnHost(prepareNode(), 'exec "$1" -m 4')
    expect(bundle.manifest.identity.status).toBe('host')
    expect(bundle.manifest.identity.containerId).toBeUndefined()
    expect(bundle.manifest.problems).toEqual([])
    const core = await bundle.extractCore()
    expect(bundle.entry('.core').bytes).toBe(await promisedBytes(core))
    expect(await backtrace(testProgram('crasher'), core)).toMatch(/#0 .*crash_here/)
  })

  test('is recorded for a path with quotes, a newline and bytes outside UTF-8 [B22]', async () => {
    const node = prepareNode()
    const name = "$(printf 'a\"b\\047\\nERROR - \\377')"
    const directory = node.agent.directory
    const bundle = await crashOnHost(
      node,
      `cp "$1" "${directory}/${name}" && exec "${directory}/${name}"`,
    )
    expect(bundle.manifest.identity.status).toBe('host')
    expect(bundle.manifest.crash.exe).toBe(`${directory}/a"b'\nERROR - \uFFFD`)
    expectTame(bundle, node)
  })

  test('is recorded for a process in a pod with such a name', async () => {
    const node = prepareNode()
    const bundle = await node.prepared(async () => {
      const args = ['-n', HOSTILE.toString('hex')]
      const pod = await runPod(parts.containerd, { name: 'hostile', containers: [{ args }] })
      onTestFinished(() => pod.remove())
      return node.bundles.one(({ manifest }) => manifest.identity.podUid === pod.uid)
    })
    expect(bundle.manifest.identity).toMatchObject({ status: 'verified', pod: 'hostile' })
    // the kernel itself writes `!` for a slash
    expect(bundle.manifest.crash.comm).toBe('a"b\'\nERROR - \uFFFD!')
    expectTame(bundle, node)
    const info = await bundle.json('-dump-info.json')
    expect(info).toMatchObject({ exe: expect.stringContaining('a"b\'') })
  })
})

/** Crash a program on the host from a shell, and return the bundle that is its. */
async function crashOnHost(node: TestNode, script: string): Promise<Bundle> {
  return node.prepared(async () => {
    const pid = await runUntilCrash('/bin/sh', ['-c', script, 'sh', testProgram('crasher')])
    return node.bundles.one(({ manifest }) => manifest.crash.hostPid === pid)
  })
}

/** No name in the zip, and no line of a log, is of the process's choosing. */
function expectTame(bundle: Bundle, node: TestNode): void {
  for (const { name } of bundle.entries) expect(name).toMatch(/^[\w .:!'-]+$/)
  expect(bundle.manifest.core.complete).toBe(true)
  const lines = `${node.composerLog}\n${node.agent.output}`.split('\n')
  expect(lines.filter((line) => line.startsWith('ERROR - '))).toEqual([])
}
