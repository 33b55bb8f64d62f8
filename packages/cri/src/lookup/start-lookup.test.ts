import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect } from 'vitest'
import {
  type CrashFacts,
  type LookupOptions,
  type LookupResult,
  type LookupSubject,
  startLookup,
  openRuntime,
  type Runtime,
  snapshotProcess,
} from '../index.ts'
import {
  type FakeRuntime,
  type FakeContainer,
  serveCri,
} from '@core-dump-handler/testing/cri/cri-server'
import { BOOT_TIME, type FakeProcess, fakeProc } from '@core-dump-handler/testing/cri/fake-proc'
import { test as base } from '@core-dump-handler/testing/scratch'
import { canMountSilentFiles, mountSilentFile } from '@core-dump-handler/testing/cri/silent-file'

const WEB = 'a'.repeat(64)
const DB = 'b'.repeat(64)
const OUTER = 'c'.repeat(64)
const PAUSE = 'd'.repeat(64)
const PAUSE_DB = 'e'.repeat(64)
const UID = '0f2b5c1e-9d3a-4e7b-8c6d-1a2b3c4d5e6f'
const UID_DB = '11111111-2222-3333-4444-555555555555'
const CGROUP = `0::/kubepods/burstable/pod${UID}/${WEB}\n`
const CRASH: CrashFacts = { timestamp: BOOT_TIME + 200, pid: 1, uid: 1000, gid: 1000 }

interface Node {
  readonly dir: string
  /** Names of the CRI methods called. */
  readonly calls: readonly string[]
  readonly runtime: Runtime
  subject(process?: Partial<FakeProcess>, crash?: CrashFacts): LookupSubject
  /** A whole lookup, and the log of the container that crashed. */
  find(subject: LookupSubject, options?: LookupOptions): Promise<LookupResult & { log?: string }>
}

const web: FakeContainer = {
  id: WEB,
  sandboxId: PAUSE,
  name: 'main',
  attempt: 2,
  image: 'test.local/web:1',
  imageRef: 'sha256:1111',
}

const SIDECAR = 'f'.repeat(64)

const RUNTIME: FakeRuntime = {
  containers: [
    web,
    { id: DB, sandboxId: PAUSE_DB, name: 'db', image: 'db:1' },
    { id: SIDECAR, sandboxId: PAUSE, name: 'sidecar', image: 'web:1', logPath: '/nowhere/0.log' },
    { id: '0'.repeat(64), sandboxId: PAUSE, name: 'init', state: 2 },
  ],
  sandboxes: [
    { id: PAUSE, name: 'web', namespace: 'shop', uid: UID, info: { pid: 5 } },
    { id: PAUSE_DB, name: 'db', namespace: 'shop', uid: UID_DB },
  ],
  images: [{ id: 'sha256:1111', repoTags: ['test.local/web:1'], repoDigests: [], size: 1 }],
}

interface Fixtures {
  known: Partial<FakeRuntime>
  node: Node
}

const test = base.extend<Fixtures>({
  known: {},
  node: async ({ dir, known }, use) => {
    const logPath = join(dir, 'pods/shop_web_uid/main/2.log')
    mkdirSync(dirname(logPath), { recursive: true })
    writeFileSync(logPath, '2026-11-23T05:57:01.1Z stderr F last words\n')
    const socket = join(dir, 's')
    const all = { ...RUNTIME, ...known }
    const server = await serveCri(socket, {
      ...all,
      containers: all.containers.map((one) => (one.id === WEB ? { ...one, logPath } : one)),
    })
    const runtime = await openRuntime({ endpoint: socket, client: 'grpc', callTimeoutMs: 300 })
    const subject = (
      process: Partial<FakeProcess> = {},
      crash: CrashFacts = CRASH,
    ): LookupSubject => {
      const proc = join(dir, 'proc')
      rmSync(proc, { recursive: true, force: true })
      fakeProc(proc, { pid: 42, cgroup: CGROUP, pidfdNames: 42, ...process })
      const snapshot = snapshotProcess(42, { root: proc, pidfd: 3, includeFiles: ['auxv'] })
      return { snapshot, crash, hostname: 'another' }
    }
    const find: Node['find'] = async (subjectOfLookup, options) => {
      const search = startLookup(subjectOfLookup, runtime, {
        procRoot: join(dir, 'proc'),
        ...options,
      })
      const result = await search.result
      expect(result).toMatchObject(await search.identified)
      const crashed = result.containers.find((one) => one.crashed)
      const log = await crashed?.readLog().then(({ bytes }) => bytes.toString())
      await search.close()
      return log === undefined ? result : { ...result, log }
    }
    await use({ dir, calls: server.calls, runtime, subject, find })
    runtime.close()
    server.close()
  },
})

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

test('a host process is reported as `host` without a call of the runtime', async ({ node }) => {
  const { identity, containers } = await node.find(
    node.subject({ cgroup: '0::/\n', nspid: [42] }, { ...CRASH, pid: 42 }),
  )
  expect(identity).toMatchObject({ status: 'host', reason: expect.any(String) })
  expect(containers).toEqual([])
  expect(node.calls).toEqual([])
})

const DOUBTS: readonly (readonly [string, Partial<FakeProcess>, CrashFacts, RegExp])[] = [
  ['does not dump core', { coreDumping: false }, CRASH, /is not dumping core/],
  ['has another user id', { uid: 0 }, CRASH, /user id is 0, the kernel passed 1000/],
  ['has another group id', { gid: 0 }, CRASH, /group id is 0/],
  ['is looked up without %p', {}, { timestamp: CRASH.timestamp }, /%p/],
  ['is looked up without %t', {}, { pid: 1 }, /%t/],
]

test.for(DOUBTS)('a process that %s is not verified', async ([, process, crash, why], { node }) => {
  const { identity } = await node.find(node.subject(process, crash))
  expect(identity).toMatchObject({
    status: 'unverified',
    pod: 'web',
    reason: expect.stringMatching(why),
  })
})

const OTHER_PROCESSES: readonly (readonly [string, Partial<FakeProcess>, RegExp])[] = [
  ['started after the crash', { startTicks: 30_000 }, /started after the crash/],
  ['has another pid in its namespace', { nspid: [42, 8] }, /pid in its namespace is 8.*passed 1/],
]

test.for(OTHER_PROCESSES)(
  'a process that %s is not the one that crashed: no pod is named',
  async ([, process, why], { node }) => {
    const { identity, containers } = await node.find(node.subject(process))
    expect(identity).toEqual({ status: 'unverified', reason: expect.stringMatching(why) })
    expect(containers).toEqual([])
    expect(node.calls).toEqual([])
  },
)

test('uid and gid of the crash are optional', async ({ node }) => {
  const crash = { timestamp: CRASH.timestamp, pid: 1 }
  expect((await node.find(node.subject({}, crash))).identity.status).toBe('verified')
})

test('a pid that was reused names no pod', async ({ node }) => {
  const { identity } = await node.find(node.subject({ pidfdNames: -1 }))
  expect(identity).toEqual({
    status: 'unverified',
    reason: expect.stringContaining('not the one of pidfd 3'),
  })
  expect(node.calls).toEqual([])
})

test('a process with a pid namespace of its own and no container in its cgroup is not `host`', async ({
  node,
}) => {
  const { identity } = await node.find(node.subject({ cgroup: '0::/\n', nspid: [42, 1] }))
  expect(identity).toMatchObject({
    status: 'unverified',
    reason: expect.stringContaining('pid namespace of its own'),
  })
})

describe('ids in the cgroup', () => {
  test('of an outer cluster are passed over', async ({ node }) => {
    const cgroup = `0::/docker/${OUTER}/kubepods/pod${UID}/${WEB}\n`
    expect((await node.find(node.subject({ cgroup }))).identity).toMatchObject({
      status: 'verified',
      containerId: WEB,
    })
  })

  test('of cgroups made inside the container are not used', async ({ node }) => {
    const cgroup = `0::/kubepods/pod${UID}/${WEB}/pod${UID_DB}/${DB}\n`
    expect((await node.find(node.subject({ cgroup }))).identity).toMatchObject({
      status: 'verified',
      containerId: WEB,
      pod: 'web',
    })
  })

  test('that differ between lines leave the crash unverified', async ({ node }) => {
    const cgroup = `2:cpu:/${DB}\n1:memory:/kubepods/pod${UID}/${WEB}\n`
    const { identity } = await node.find(node.subject({ cgroup }))
    expect(identity).toEqual({
      status: 'unverified',
      reason: expect.stringContaining(`names several containers: ${DB}, ${WEB}`),
    })
  })

  test('below another pod than the runtime’s leave the crash unverified', async ({ node }) => {
    const cgroup = `0::/kubepods/pod${UID_DB}/${WEB}\n`
    expect((await node.find(node.subject({ cgroup }))).identity).toMatchObject({
      status: 'unverified',
      reason: `the pod in the cgroup path is ${UID_DB}, the runtime says ${UID}`,
    })
  })

  test('that no runtime knows are reported', async ({ node }) => {
    const cgroup = `0::/kubepods/pod${UID}/${OUTER}\n`
    const { identity, warnings } = await node.find(node.subject({ cgroup }))
    expect(identity).toMatchObject({ status: 'unverified', containerId: OUTER, podUid: UID })
    expect(identity.reason).toContain(`knows no container ${OUTER}`)
    expect(warnings).toMatchObject([{ code: 'CRI_NOT_FOUND' }])
  })

  test('are looked up a bounded number of times', async ({ node }) => {
    const many = Array.from({ length: 100 }, (_, index) => String(index).padStart(64, '0'))
    const { identity } = await node.find(
      node.subject({ cgroup: `0::/${many.slice(1).join('/')}\n` }),
    )
    expect(identity.status).toBe('unverified')
    expect(node.calls.length).toBeLessThanOrEqual(32)
  })
})

test('a crash of the pause process is verified for the pod, without a container', async ({
  node,
}) => {
  const cgroup = `0::/kubepods/pod${UID}/${PAUSE}\n`
  const { identity, psInfo, containers } = await node.find(node.subject({ cgroup }))
  expect(identity).toEqual({
    status: 'verified',
    reason: expect.stringContaining('pause'),
    containerId: PAUSE,
    pod: 'web',
    namespace: 'shop',
    podUid: UID,
  })
  expect(psInfo).toMatchObject({ containers: [{ id: WEB }, {}] })
  expect(containers.map(({ crashed }) => crashed)).toEqual([false, false])
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
      test.override('known', { hangs: [call] })
      test('costs the limit of the call', async ({ node }) => {
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
    test.override('known', { hangs })
    test('costs the limit of the lookup', async ({ node }) => {
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
