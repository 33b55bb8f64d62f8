import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect } from 'vitest'
import { crictlOfPod } from '@core-dump-handler/testing/cri/crictl-pod'
import { onlyBundle } from '@core-dump-handler/testing/composer/read-bundle'
import { startComposer } from '@core-dump-handler/testing/composer/run-composer'
import { CORE, test, WEB_POD } from '@core-dump-handler/testing/composer/scratch-node'

describe('composer, with a runtime that fails or hangs', () => {
  test('exits with 1 and keeps everything when no pod has the host name', async ({ node }) => {
    crictlOfPod(node.home, WEB_POD, { pods: '{"items":[]}' })
    const { code } = await node.run({ CORE_EVENTS: 'true' })
    const bundle = await onlyBundle(node.cores)
    expect(code).toBe(1)
    expect(bundle.entries).toEqual(['-dump-info.json', '.core', '-pod-info.json', '-manifest.json'])
    expect(await bundle.text('-pod-info.json')).toBe('{}')
    expect(bundle.manifest).toMatchObject({
      identity: { status: 'unverified' },
      core: { complete: true },
    })
    expect(await readdir(join(node.home, 'events'))).toHaveLength(1)
  })

  test('exits with 1 and keeps the rest when crictl ps fails', async ({ node }) => {
    crictlOfPod(node.home, WEB_POD, { ps: 'nonsense' })
    const { code } = await node.run()
    const bundle = await onlyBundle(node.cores)
    expect(code).toBe(1)
    expect(bundle.entries.slice(0, 4)).toEqual([
      '-dump-info.json',
      '.core',
      '-pod-info.json',
      '-runtime-info.json',
    ])
    expect(bundle.manifest.problems.length).toBeGreaterThan(0)
  })

  test('reports once a log that cannot be read', async ({ node }) => {
    crictlOfPod(node.home, WEB_POD, { logs: undefined })
    await node.run()
    const { entries, manifest } = await onlyBundle(node.cores)
    expect(entries).toContain('-0.log')
    expect(manifest.problems).toMatchObject([{ message: expect.stringMatching(/crictl logs/) }])
  })

  test('reports how long the runtime took, not how long the core did', async ({ node }) => {
    const args = ['-e=web', '-p=1', '-s=6', '-t=1700000000', '-h=web-1']
    const env = { COMPOSER_HOME: node.home, CORE_DIR: node.cores, CRI_CLIENT: 'crictl' }
    const run = startComposer({ args, env })
    run.stdin.write(CORE.subarray(0, 100_000))
    while (!node.crictl.calls().some((call) => call.startsWith('logs'))) await delay(50)
    await delay(2500)
    run.stdin.end(CORE.subarray(100_000))
    expect(await run.ended).toMatchObject({ code: 0 })
    const { lookupMs, heldMs } = (await onlyBundle(node.cores)).manifest.timings
    expect(lookupMs).toBeGreaterThan(0)
    expect(lookupMs).toBeLessThan(heldMs - 2000)
  })

  test('logs which crash became no bundle', async ({ node }) => {
    const { code } = await node.run({ CORE_DIR: '/proc/nowhere' })
    expect(code).toBe(1)
    expect(await readFile(join(node.home, 'composer.log'), 'utf8')).toContain(
      'Could not make a bundle of `web`, signal 6, host name `web-1`, at 1700000000: ',
    )
  })

  test('ignores a pod without the label', async ({ node }) => {
    const { code } = await node.run({ POD_SELECTOR_LABEL: 'collect' })
    expect(code).toBe(0)
    expect(await readdir(node.cores).catch(() => [])).toEqual([])
    expect(await readFile(join(node.home, 'composer.log'), 'utf8')).toContain(
      'has no label `collect`',
    )
  })

  test('takes a core of a pod with the label, whatever its value', async ({ node }) => {
    expect(await node.run({ POD_SELECTOR_LABEL: 'app' })).toMatchObject({ code: 0 })
    expect((await onlyBundle(node.cores)).manifest.core.complete).toBe(true)
  })

  test('keeps a crash whose pod is not known, also with a selector [B10]', async ({ node }) => {
    crictlOfPod(node.home, WEB_POD, { pods: 'nonsense' })
    expect(await node.run({ POD_SELECTOR_LABEL: 'app' })).toMatchObject({ code: 1, signal: null })
    const { manifest } = await onlyBundle(node.cores)
    expect(manifest.core.complete).toBe(true)
    expect(manifest.problems.map(({ code }) => code)).toContain('SELECTOR_UNDECIDED')
  })

  test('loses only the event when the directory of events cannot be made [B24]', async ({
    node,
  }) => {
    await writeFile(join(node.home, 'events'), '')
    const { code } = await node.run({ CORE_EVENTS: 'true' })
    expect(code).toBe(0)
    expect((await onlyBundle(node.cores)).manifest.core.complete).toBe(true)
    expect(await readFile(join(node.home, 'composer.log'), 'utf8')).toMatch(
      /ERROR - .* - Cannot write the event/,
    )
  })

  test.for(['pods', 'inspectp', 'ps', 'logs'])(
    'keeps the whole core when crictl %s hangs: 32 in time, no child left [B7]',
    async (verb, { node }) => {
      node.crictl.hang(verb)
      const { code } = await node.run({ TIMEOUT: '1' })
      const bundle = await onlyBundle(node.cores)
      expect(code).toBe(32)
      expect((await bundle.bytes('.core')).equals(CORE)).toBe(true)
      expect(bundle.manifest.problems.map((problem) => problem.code)).toContain('TIMEOUT')
      const pids = node.crictl.pids()
      expect(pids.length).toBeGreaterThan(0)
      for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    },
  )

  test.for([
    ['time limit', 32],
    ['SIGTERM', 143],
  ] as const)(
    'has the whole core when the %s comes while the file name needs the pod [composer-9]',
    async ([cause, exitCode], { node }) => {
      node.crictl.hang('pods')
      const run = node.start({
        FILENAME_TEMPLATE: '{podname}-{uuid}',
        TIMEOUT: cause === 'SIGTERM' ? '600' : '1',
      })
      if (cause === 'SIGTERM') {
        while (node.crictl.pids().length === 0) await delay(20)
        run.kill('SIGTERM')
      }
      expect((await run.ended).code).toBe(exitCode)
      const { name, manifest } = await onlyBundle(node.cores)
      expect(name).toMatch(/^unknown-/)
      // it is small: it was read, and its process released, before the runtime was asked
      expect(manifest.core).toMatchObject({ complete: true, bytes: manifest.core.expectedBytes })
      expect(manifest.timings.heldMs).toBeLessThan(manifest.timings.totalMs)
    },
  )

  test('releases the process when its core is read, however long crictl hangs [B20]', async ({
    node,
  }) => {
    node.crictl.hang('pods')
    await node.run({ TIMEOUT: '2' })
    const { totalMs, heldMs } = (await onlyBundle(node.cores)).manifest.timings
    expect(totalMs - heldMs).toBeGreaterThan(1000)
  })
})
