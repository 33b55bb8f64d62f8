import { rmSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { serveCri } from '@core-dump-handler/testing/cri/cri-server'
import {
  CGROUP,
  PAUSE,
  SIDECAR,
  test,
  UID,
  WEB,
  web,
} from '@core-dump-handler/testing/cri/fake-node'
import { fakeProc } from '@core-dump-handler/testing/cri/fake-proc'
import { canMountSilentFiles, mountSilentFile } from '@core-dump-handler/testing/cri/silent-file'
import { describe, expect } from 'vitest'
import { createBlockingCalls, openRuntime, type Runtime, startLookup } from '../index.ts'

test('verifies the container of the crashed process and describes its pod', async ({ node }) => {
  const result = await node.find(node.subject())
  expect(result.identity).toEqual({
    status: 'verified',
    containerId: WEB,
    container: 'main',
    pod: 'web',
    namespace: 'shop',
    podUid: UID,
    image: 'test.local/web:1',
    imageRef: 'sha256:1111',
    restartCount: 2,
  })
  expect(result.podInfo).toMatchObject({
    id: PAUSE,
    metadata: { name: 'web', uid: UID, namespace: 'shop', attempt: 0 },
    state: 'SANDBOX_READY',
    createdAt: '1795383700000000001',
    labels: { app: 'web' },
    runtimeHandler: '',
  })
  expect(Object.keys(result.podInfo ?? {})).toEqual(
    expect.not.arrayContaining(['network', 'linux']),
  )
  expect(result.runtimeInfo).toMatchObject({ status: { id: PAUSE }, info: { pid: 5 } })
  expect(result.psInfo).toMatchObject({ containers: [{ id: WEB }, { id: SIDECAR }] })
  expect(result.containers).toMatchObject([
    { name: 'main', crashed: true, imageInfo: { id: 'sha256:1111' }, initPid: 7 },
    { name: 'sidecar', crashed: false },
  ])
  expect(result.log).toBe('last words\n')
  expect(result.warnings.map(({ code }) => code).toSorted()).toEqual([
    'IMAGE_NOT_FOUND',
    'LOG_MISSING',
  ])
})

describe('a container that has ended', () => {
  test.override('known', { containers: [{ ...web, state: 2 }] })
  test('is listed', async ({ node }) => {
    const result = await node.find(node.subject())
    expect(result.identity.status).toBe('verified')
    expect(result.psInfo).toMatchObject({
      containers: [
        {
          id: WEB,
          podSandboxId: PAUSE,
          state: 'CONTAINER_EXITED',
          createdAt: '1795383701033706848',
        },
      ],
    })
  })
})

test('without a runtime the ids of the cgroup are reported, unverified', async ({ node }) => {
  const { identity } = await startLookup(node.subject()).result
  expect(identity).toEqual({
    status: 'unverified',
    reason: 'the container runtime was not asked',
    containerId: WEB,
    podUid: UID,
  })
})

test('a runtime that cannot be opened is a warning, not a rejection', async ({ node, dir }) => {
  const runtime = openRuntime({ root: dir, crictlPath: join(dir, 'no-crictl') })
  const { identity, warnings } = await startLookup(node.subject(), runtime).result
  expect(identity).toMatchObject({ status: 'unverified', containerId: WEB })
  expect(warnings).toMatchObject([{ code: 'CRI_UNAVAILABLE' }])
  expect(warnings[0]?.message).toMatch(/no socket of a runtime at .*containerd.*and no crictl/)
})

describe('a runtime that hangs', () => {
  for (const [call, status] of [
    ['ContainerStatus', 'unverified'],
    ['PodSandboxStatus', 'verified'],
    ['ListContainers', 'verified'],
    ['ImageStatus', 'verified'],
  ] as const) {
    describe(`at ${call}`, () => {
      test.override({ known: { hangs: [call] }, callTimeoutMs: 300 })
      test('costs the limit of the call [composer-20]', async ({ node }) => {
        const start = performance.now()
        const { identity, warnings, log } = await node.find(node.subject())
        expect(performance.now() - start).toBeLessThan(2500)
        expect(identity).toMatchObject({ status, containerId: WEB, podUid: UID })
        expect(warnings.map(({ code }) => code)).toContain('CRI_TIMEOUT')
        if (status === 'verified') expect(log).toBe('last words\n')
      })
    })
  }

  describe('at everything', () => {
    const hangs = ['ContainerStatus', 'PodSandboxStatus', 'ListContainers', 'ImageStatus']
    test.override({ known: { hangs }, callTimeoutMs: 300 })
    test('costs the limit of the lookup [composer-21]', async ({ node }) => {
      const { warnings } = await node.find(node.subject(), { totalTimeoutMs: 100 })
      expect(warnings).toEqual([
        { code: 'CRI_TIMEOUT', message: 'The lookup did not end within 100 ms' },
      ])
    })
    test('is ended by the signal', async ({ node }) => {
      const signal = AbortSignal.timeout(50)
      const { warnings } = await node.find(node.subject(), { signal })
      expect(warnings).toMatchObject([{ code: 'CRI_ABORTED' }])
    })
    test('is ended by close', async ({ node }) => {
      const search = startLookup(node.subject(), node.runtime)
      await search.close()
      expect((await search.result).warnings).toMatchObject([{ code: 'CRI_ABORTED' }])
    })
  })

  test('while it is opened costs the limit of the lookup', async ({ node }) => {
    const never = new Promise<Runtime>(() => {})
    const { identity } = await startLookup(node.subject(), never, { totalTimeoutMs: 50 }).result
    expect(identity).toMatchObject({
      status: 'unverified',
      reason: 'The lookup did not end within 50 ms',
    })
  })
})

test('keeps a log open that is removed before it is read', async ({ node }) => {
  const search = startLookup(node.subject(), node.runtime)
  await search.identified
  const result = await search.result
  rmSync(join(node.dir, 'pods'), { recursive: true })
  const { bytes } = (await result.containers[0]?.readLog()) ?? {}
  expect(String(bytes)).toBe('last words\n')
  await search.close()
})

describe('files of the first process of a container', () => {
  const options = { includeProcessFiles: ['auxv', 'maps'] }

  test('are read while it is in that container', async ({ node }) => {
    const subject = node.subject()
    fakeProc(join(node.dir, 'proc'), { pid: 7, cgroup: CGROUP, files: { auxv: 'a', maps: 'm' } })
    const { containers } = await node.find(subject, options)
    expect([...(containers[0]?.initFiles.keys() ?? [])]).toEqual(['auxv', 'maps'])
    // the fake runtime names the same pid for the sidecar
    expect(containers[1]?.initFiles.size).toBe(0)
  })

  test('are not those of another process with that pid', async ({ node }) => {
    const subject = node.subject()
    fakeProc(join(node.dir, 'proc'), { pid: 7, cgroup: '0::/\n', files: { auxv: 'a' } })
    const { containers, warnings } = await node.find(subject, options)
    expect(containers[0]?.initFiles.size).toBe(0)
    expect(warnings.map(({ code }) => code)).toContain('PROCESS_CHANGED')
  })

  describe('that crashed', () => {
    test.override('known', { containers: [{ ...web, info: { pid: 42 } }] })
    test('are those of the snapshot', async ({ node }) => {
      const subject = node.subject({ files: { auxv: 'crashed' } })
      rmSync(join(node.dir, 'proc/42'), { recursive: true })
      const { containers } = await node.find(subject, options)
      expect(containers[0]?.initFiles).toEqual(new Map([['auxv', Buffer.from('crashed')]]))
    })
  })
})

test.skipIf(!canMountSilentFiles())(
  'a log on a file system that does not answer costs only itself',
  async ({ node }) => {
    const { release } = await mountSilentFile(join(node.dir, 'pods/shop_web_uid/main/2.log'))
    try {
      const search = startLookup(node.subject(), node.runtime, { totalTimeoutMs: 400 })
      const { identity, containers, warnings } = await search.result
      expect(identity.status).toBe('verified')
      expect(containers).toHaveLength(2)
      await expect(containers[0]?.readLog()).rejects.toThrow(/did not end within 400 ms/)
      const late = warnings.filter(
        ({ code }) => code === 'LOG_UNREADABLE' || code === 'CRI_TIMEOUT',
      )
      expect(late.map(({ message }) => message)).toContainEqual(
        expect.stringContaining('did not end within 400 ms'),
      )
      await search.close()
    } finally {
      await release()
    }
  },
)

test('a lookup with blocking calls of its own reads its logs while another one hangs', async ({
  node,
}) => {
  const hanging = Promise.withResolvers<void>()
  const shared = createBlockingCalls()
  const call = shared.run('/dead', () => hanging.promise, { limitMs: 50 })
  await expect(call).rejects.toThrow('not done within 50 ms')
  try {
    const refused = await node.find(node.subject(), { blockingCalls: shared }).catch(String)
    expect(refused).toMatch(/not tried, because `\/dead` does not answer/)
    const own = await node.find(node.subject(), { blockingCalls: createBlockingCalls() })
    expect(own.log).toBe('last words\n')
  } finally {
    hanging.resolve()
  }
})

describe('C7: process files of many containers', () => {
  const containers = Array.from({ length: 64 }, (_, index) => ({
    id: String(index).padStart(64, '0'),
    sandboxId: PAUSE,
    name: `c${index}`,
    info: { pid: 1000 + index },
  }))
  test.override('known', { containers: [web, ...containers] })
  test('are kept up to 10 MiB in all, with a warning for what is cut', async ({ node }) => {
    const subject = node.subject()
    for (const { id, info } of containers) {
      const cgroup = `0::/kubepods/burstable/pod${UID}/${id}\n`
      const files = { environ: Buffer.alloc(1 << 20, 'e'), maps: Buffer.alloc(1 << 20, 'm') }
      fakeProc(join(node.dir, 'proc'), { pid: info.pid, cgroup, files })
    }
    const includeProcessFiles = ['environ', 'maps']
    const result = await node.find(subject, { includeProcessFiles, logLines: 0 })
    const sizes = result.containers.flatMap(({ initFiles }) =>
      [...initFiles.values()].map(({ length }) => length),
    )
    const total = sizes.reduce((sum, size) => sum + size, 0)
    expect(total).toBeLessThanOrEqual(10 << 20)
    expect(total).toBeGreaterThan(9 << 20)
    expect(sizes.filter((size) => size === 1 << 20).length).toBeGreaterThan(7)
    expect(result.warnings.map(({ code }) => code)).toContain('PROCESS_FILE_TRUNCATED')
  })
})

describe.skipIf(!canMountSilentFiles())('C1: many logs on a mount that does not answer', () => {
  test('leave the threads of the pool to other calls', async ({ dir, node }) => {
    const path = join(dir, 'pods/shop_web_uid/main/2.log')
    const containers = Array.from({ length: 8 }, (_, index) => ({
      id: String(index).padStart(64, '0'),
      sandboxId: PAUSE,
      name: `c${index}`,
      // the same file by different paths
      logPath: `${dir}${'/'.repeat(index + 2)}pods/shop_web_uid/main/2.log`,
    }))
    const socket = join(dir, 'many')
    const pod = { id: PAUSE, name: 'web', namespace: 'shop', uid: UID }
    const server = await serveCri(socket, {
      containers: [{ ...web, logPath: path }, ...containers],
      sandboxes: [pod],
      images: [],
    })
    const { release } = await mountSilentFile(path)
    const runtime = await openRuntime({ endpoint: socket, client: 'grpc' })
    const lookup = startLookup(node.subject(), runtime, { totalTimeoutMs: 1500 })
    try {
      await lookup.identified
      const start = performance.now()
      for (let round = 0; round < 20; round++) {
        await Promise.all(Array.from({ length: 3 }, () => stat(dir)))
        await delay(20)
      }
      expect(performance.now() - start).toBeLessThan(1400)
      const { containers: found } = await lookup.result
      const logs = await Promise.allSettled(found.map((one) => one.readLog()))
      expect(logs.map(({ status }) => status)).toEqual(Array(9).fill('rejected'))
    } finally {
      await release()
      await lookup.close()
      runtime.close()
      server.close()
    }
  })
})
