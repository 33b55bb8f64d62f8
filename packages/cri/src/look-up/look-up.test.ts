import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect } from 'vitest'
import {
  type CrashFacts,
  type LookUpOptions,
  type LookUpResult,
  type LookUpSubject,
  lookUp,
  openRuntime,
  type Runtime,
  snapshotProcess,
} from '../index.ts'
import { type Cluster, type FakeContainer, serveCri } from '../testing/cri-server.ts'
import { BOOT_TIME, type FakeProcess, fakeProc } from '../testing/fake-proc.ts'
import { test as base } from '../testing/scratch.ts'
import { canMountSilentFiles, silence } from '../testing/silent-file.ts'

const WEB = 'a'.repeat(64)
const DB = 'b'.repeat(64)
const OUTER = 'c'.repeat(64)
const PAUSE = 'd'.repeat(64)
const PAUSE_DB = 'e'.repeat(64)
const UID = '0f2b5c1e-9d3a-4e7b-8c6d-1a2b3c4d5e6f'
const UID_DB = '11111111-2222-3333-4444-555555555555'
const CGROUP = `0::/kubepods/burstable/pod${UID}/${WEB}\n`
const CRASH: CrashFacts = { timestamp: BOOT_TIME + 200, pid: 1, uid: 1000, gid: 1000 }

interface World {
  readonly dir: string
  readonly calls: readonly string[]
  readonly runtime: Runtime
  subject(process?: Partial<FakeProcess>, crash?: CrashFacts): LookUpSubject
  /** A whole look-up, and the log of the container that crashed. */
  find(subject: LookUpSubject, options?: LookUpOptions): Promise<LookUpResult & { log?: string }>
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

const CLUSTER: Cluster = {
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
  cluster: Partial<Cluster>
  world: World
}

const test = base.extend<Fixtures>({
  cluster: {},
  world: async ({ dir, cluster }, use) => {
    const logPath = join(dir, 'pods/shop_web_uid/main/2.log')
    mkdirSync(dirname(logPath), { recursive: true })
    writeFileSync(logPath, '2026-11-23T05:57:01.1Z stderr F last words\n')
    const socket = join(dir, 's')
    const known = { ...CLUSTER, ...cluster }
    const server = await serveCri(socket, {
      ...known,
      containers: known.containers.map((one) => (one.id === WEB ? { ...one, logPath } : one)),
    })
    const runtime = await openRuntime({ endpoint: socket, client: 'grpc', callTimeoutMs: 300 })
    const subject = (
      process: Partial<FakeProcess> = {},
      crash: CrashFacts = CRASH,
    ): LookUpSubject => {
      const proc = join(dir, 'proc')
      rmSync(proc, { recursive: true, force: true })
      fakeProc(proc, { pid: 42, cgroup: CGROUP, pidfdNames: 42, ...process })
      const snapshot = snapshotProcess(42, { root: proc, pidfd: 3, includeFiles: ['auxv'] })
      return { snapshot, crash, hostname: 'another' }
    }
    const find: World['find'] = async (who, options) => {
      const search = lookUp(who, runtime, { procRoot: join(dir, 'proc'), ...options })
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

test('proves whose crash it was, and tells what was around it', async ({ world }) => {
  const result = await world.find(world.subject())
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
  expect(result.problems.map(({ code }) => code).toSorted()).toEqual([
    'IMAGE_NOT_FOUND',
    'LOG_MISSING',
  ])
})

describe('a container that has ended already', () => {
  test.override('cluster', { containers: [{ ...web, state: 2 }] })
  test('is in the list all the same', async ({ world }) => {
    const result = await world.find(world.subject())
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

test('a host process is said to be one, and nobody is asked', async ({ world }) => {
  const { identity, containers } = await world.find(
    world.subject({ cgroup: '0::/\n', nspid: [42] }, { ...CRASH, pid: 42 }),
  )
  expect(identity).toMatchObject({ status: 'host', reason: expect.any(String) })
  expect(containers).toEqual([])
  expect(world.calls).toEqual([])
})

const DOUBTS: readonly (readonly [string, Partial<FakeProcess>, CrashFacts, RegExp])[] = [
  ['does not dump core', { coreDumping: false }, CRASH, /is not dumping core/],
  ['has another user id', { uid: 0 }, CRASH, /user id is 0, the kernel said 1000/],
  ['has another group id', { gid: 0 }, CRASH, /group id is 0/],
  ['was told of without %p', {}, { timestamp: CRASH.timestamp }, /%p/],
  ['was told of without %t', {}, { pid: 1 }, /%t/],
]

test.for(DOUBTS)(
  'a process that %s is not verified [attack-1]',
  async ([, process, crash, why], { world }) => {
    const { identity } = await world.find(world.subject(process, crash))
    expect(identity).toMatchObject({
      status: 'unverified',
      pod: 'web',
      reason: expect.stringMatching(why),
    })
  },
)

const OTHERS: readonly (readonly [string, Partial<FakeProcess>, RegExp])[] = [
  ['started after the crash', { startTicks: 30_000 }, /started after the crash/],
  ['has another pid in its namespace', { nspid: [42, 8] }, /pid in its namespace is 8.*said 1/],
]

test.for(OTHERS)(
  'a process that %s is another: it names nobody',
  async ([, process, why], { world }) => {
    const { identity, containers } = await world.find(world.subject(process))
    expect(identity).toEqual({ status: 'unverified', reason: expect.stringMatching(why) })
    expect(containers).toEqual([])
    expect(world.calls).toEqual([])
  },
)

test('the optional facts need not be given', async ({ world }) => {
  const crash = { timestamp: CRASH.timestamp, pid: 1 }
  expect((await world.find(world.subject({}, crash))).identity.status).toBe('verified')
})

test('a pid that was given to another process names nobody [attack-1]', async ({ world }) => {
  const { identity } = await world.find(world.subject({ pidfdNames: -1 }))
  expect(identity).toEqual({
    status: 'unverified',
    reason: expect.stringContaining('not the one of pidfd 3'),
  })
  expect(world.calls).toEqual([])
})

test('who left its cgroup is not taken for the host [identity-6]', async ({ world }) => {
  const { identity } = await world.find(world.subject({ cgroup: '0::/\n', nspid: [42, 1] }))
  expect(identity).toMatchObject({
    status: 'unverified',
    reason: expect.stringContaining('pid namespace of its own'),
  })
})

describe('ids in the cgroup', () => {
  test('of a layer outside are passed over [identity-7]', async ({ world }) => {
    const cgroup = `0::/docker/${OUTER}/kubepods/pod${UID}/${WEB}\n`
    expect((await world.find(world.subject({ cgroup }))).identity).toMatchObject({
      status: 'verified',
      containerId: WEB,
    })
  })

  test('made inside the container are not believed [identity-4]', async ({ world }) => {
    const cgroup = `0::/kubepods/pod${UID}/${WEB}/pod${UID_DB}/${DB}\n`
    expect((await world.find(world.subject({ cgroup }))).identity).toMatchObject({
      status: 'verified',
      containerId: WEB,
      pod: 'web',
    })
  })

  test('that name another container on another line prove nothing [identity-5]', async ({
    world,
  }) => {
    const cgroup = `2:cpu:/${DB}\n1:memory:/kubepods/pod${UID}/${WEB}\n`
    const { identity } = await world.find(world.subject({ cgroup }))
    expect(identity).toEqual({
      status: 'unverified',
      reason: expect.stringContaining(`names several containers: ${DB}, ${WEB}`),
    })
  })

  test('under a pod that is not the runtime’s prove nothing [identity-8]', async ({ world }) => {
    const cgroup = `0::/kubepods/pod${UID_DB}/${WEB}\n`
    expect((await world.find(world.subject({ cgroup }))).identity).toMatchObject({
      status: 'unverified',
      reason: `the pod in the cgroup path is ${UID_DB}, the runtime says ${UID}`,
    })
  })

  test('that no runtime knows are said [identity-10]', async ({ world }) => {
    const cgroup = `0::/kubepods/pod${UID}/${OUTER}\n`
    const { identity, problems } = await world.find(world.subject({ cgroup }))
    expect(identity).toMatchObject({ status: 'unverified', containerId: OUTER, podUid: UID })
    expect(identity.reason).toContain(`knows no container ${OUTER}`)
    expect(problems).toMatchObject([{ code: 'CRI_NOT_FOUND' }])
  })

  test('are asked for a bounded number of times', async ({ world }) => {
    const many = Array.from({ length: 100 }, (_, index) => String(index).padStart(64, '0'))
    const { identity } = await world.find(
      world.subject({ cgroup: `0::/${many.slice(1).join('/')}\n` }),
    )
    expect(identity.status).toBe('unverified')
    expect(world.calls.length).toBeLessThanOrEqual(32)
  })
})

test('a crash of the pause process is the pod’s, and no container’s [identity-17]', async ({
  world,
}) => {
  const cgroup = `0::/kubepods/pod${UID}/${PAUSE}\n`
  const { identity, psInfo, containers } = await world.find(world.subject({ cgroup }))
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

test('without a runtime the path is told, and proves nothing', async ({ world }) => {
  const { identity } = await lookUp(world.subject()).result
  expect(identity).toEqual({
    status: 'unverified',
    reason: 'the container runtime was not asked',
    containerId: WEB,
    podUid: UID,
  })
})

test('a runtime that cannot be opened is a problem, not a throw', async ({ world, dir }) => {
  const runtime = openRuntime({ root: dir, crictlPath: join(dir, 'no-crictl') })
  const { identity, problems } = await lookUp(world.subject(), runtime).result
  expect(identity).toMatchObject({ status: 'unverified', containerId: WEB })
  expect(problems).toMatchObject([{ code: 'CRI_UNAVAILABLE' }])
  expect(problems[0]?.message).toMatch(/no runtime's socket at .*containerd.*and no crictl/)
})

describe('a runtime that hangs', () => {
  for (const [call, status] of [
    ['ContainerStatus', 'unverified'],
    ['PodSandboxStatus', 'verified'],
    ['ListContainers', 'verified'],
    ['ImageStatus', 'verified'],
  ] as const) {
    describe(`at ${call}`, () => {
      test.override('cluster', { hangs: [call] })
      test('costs the limit of the call [composer-20]', async ({ world }) => {
        const start = performance.now()
        const { identity, problems, log } = await world.find(world.subject())
        expect(performance.now() - start).toBeLessThan(2500)
        expect(identity).toMatchObject({ status, containerId: WEB, podUid: UID })
        expect(problems.map(({ code }) => code)).toContain('CRI_TIMEOUT')
        if (status === 'verified') expect(log).toBe('last words\n')
      })
    })
  }

  describe('at everything', () => {
    const hangs = ['ContainerStatus', 'PodSandboxStatus', 'ListContainers', 'ImageStatus']
    test.override('cluster', { hangs })
    test('costs the limit of the look-up [composer-21]', async ({ world }) => {
      const { problems } = await world.find(world.subject(), { totalTimeoutMs: 100 })
      expect(problems).toEqual([
        { code: 'CRI_TIMEOUT', message: 'The look-up was not done within 100 ms' },
      ])
    })
    test('is let go by the caller', async ({ world }) => {
      const signal = AbortSignal.timeout(50)
      const { problems } = await world.find(world.subject(), { signal })
      expect(problems).toMatchObject([{ code: 'CRI_ABORTED' }])
    })
    test('is let go by close', async ({ world }) => {
      const search = lookUp(world.subject(), world.runtime)
      await search.close()
      expect((await search.result).problems).toMatchObject([{ code: 'CRI_ABORTED' }])
    })
  })

  test('while it is opened costs the limit of the look-up', async ({ world }) => {
    const never = new Promise<Runtime>(() => {})
    const { identity } = await lookUp(world.subject(), never, { totalTimeoutMs: 50 }).result
    expect(identity).toMatchObject({
      status: 'unverified',
      reason: 'The look-up was not done within 50 ms',
    })
  })
})

test('keeps the log that is removed before it is read', async ({ world }) => {
  const search = lookUp(world.subject(), world.runtime)
  await search.identified
  const result = await search.result
  rmSync(join(world.dir, 'pods'), { recursive: true })
  const { bytes } = (await result.containers[0]?.readLog()) ?? {}
  expect(String(bytes)).toBe('last words\n')
  await search.close()
})

describe('files of the first process of a container', () => {
  const options = { includeProcessFiles: ['auxv', 'maps'] }

  test('are read when it is in that container', async ({ world }) => {
    const subject = world.subject()
    fakeProc(join(world.dir, 'proc'), { pid: 7, cgroup: CGROUP, files: { auxv: 'a', maps: 'm' } })
    const { containers } = await world.find(subject, options)
    expect([...(containers[0]?.initFiles.keys() ?? [])]).toEqual(['auxv', 'maps'])
    // the fake runtime names the same pid for the sidecar
    expect(containers[1]?.initFiles.size).toBe(0)
  })

  test('are not those of a stranger with that pid', async ({ world }) => {
    const subject = world.subject()
    fakeProc(join(world.dir, 'proc'), { pid: 7, cgroup: '0::/\n', files: { auxv: 'a' } })
    const { containers, problems } = await world.find(subject, options)
    expect(containers[0]?.initFiles.size).toBe(0)
    expect(problems.map(({ code }) => code)).toContain('PROCESS_CHANGED')
  })

  describe('that crashed', () => {
    test.override('cluster', { containers: [{ ...web, info: { pid: 42 } }] })
    test('are those of the snapshot', async ({ world }) => {
      const subject = world.subject({ files: { auxv: 'crashed' } })
      rmSync(join(world.dir, 'proc/42'), { recursive: true })
      const { containers } = await world.find(subject, options)
      expect(containers[0]?.initFiles).toEqual(new Map([['auxv', Buffer.from('crashed')]]))
    })
  })
})

test.skipIf(!canMountSilentFiles())(
  'a log on a file system that does not answer costs only itself',
  async ({ world }) => {
    const { release } = await silence(join(world.dir, 'pods/shop_web_uid/main/2.log'))
    try {
      const search = lookUp(world.subject(), world.runtime, { totalTimeoutMs: 400 })
      const { identity, containers, problems } = await search.result
      expect(identity.status).toBe('verified')
      expect(containers).toHaveLength(2)
      await expect(containers[0]?.readLog()).rejects.toThrow(/not done within 400 ms/)
      const told = problems.filter(
        ({ code }) => code === 'LOG_UNREADABLE' || code === 'CRI_TIMEOUT',
      )
      expect(told.map(({ message }) => message)).toContainEqual(
        expect.stringContaining('not done within 400 ms'),
      )
      await search.close()
    } finally {
      await release()
    }
  },
)
