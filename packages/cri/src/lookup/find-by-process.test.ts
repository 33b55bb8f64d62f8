import { join } from 'node:path'
import {
  CRASH,
  DB,
  OUTER,
  PAUSE,
  test,
  UID,
  UID_DB,
  WEB,
  web,
} from '@core-dump-handler/testing/cri/fake-node'
import { type FakeProcess, fakeProc } from '@core-dump-handler/testing/cri/fake-proc'
import { describe, expect } from 'vitest'
import type { CrashFacts } from '../index.ts'

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

test.for(DOUBTS)(
  'a process that %s is not verified [attack-1]',
  async ([, process, crash, why], { node }) => {
    const { identity } = await node.find(node.subject(process, crash))
    expect(identity).toMatchObject({
      status: 'unverified',
      pod: 'web',
      reason: expect.stringMatching(why),
    })
  },
)

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

test('a pid that was reused names no pod [attack-1]', async ({ node }) => {
  const { identity } = await node.find(node.subject({ pidfdNames: -1 }))
  expect(identity).toEqual({
    status: 'unverified',
    reason: expect.stringContaining('not the one of pidfd 3'),
  })
  expect(node.calls).toEqual([])
})

test('a process with a pid namespace of its own and no container in its cgroup is not `host` [identity-6]', async ({
  node,
}) => {
  const { identity } = await node.find(node.subject({ cgroup: '0::/\n', nspid: [42, 1] }))
  expect(identity).toMatchObject({
    status: 'unverified',
    reason: expect.stringContaining('pid namespace of its own'),
  })
})

describe('ids in the cgroup', () => {
  test('of an outer cluster are passed over where the first process has the same cgroup', async ({
    node,
  }) => {
    const cgroup = `0::/docker/${OUTER}/kubepods/pod${UID}/${WEB}\n`
    const subject = node.subject({ cgroup })
    fakeProc(join(node.dir, 'proc'), { pid: 7, cgroup })
    expect((await node.find(subject)).identity).toMatchObject({
      status: 'verified',
      containerId: WEB,
    })
  })

  test('of cgroups made inside the container are not used [identity-4, identity-7]', async ({
    node,
  }) => {
    const cgroup = `0::/kubepods/pod${UID}/${WEB}/pod${UID_DB}/${DB}\n`
    expect((await node.find(node.subject({ cgroup }))).identity).toMatchObject({
      status: 'verified',
      containerId: WEB,
      pod: 'web',
    })
  })

  test('that differ between lines leave the crash unverified [identity-5]', async ({ node }) => {
    const cgroup = `2:cpu:/${DB}\n1:memory:/kubepods/pod${UID}/${WEB}\n`
    const { identity } = await node.find(node.subject({ cgroup }))
    expect(identity).toEqual({
      status: 'unverified',
      reason: expect.stringContaining(`names several containers: ${DB}, ${WEB}`),
    })
  })

  test('below another pod than the runtime’s leave the crash unverified [identity-8]', async ({
    node,
  }) => {
    const cgroup = `0::/kubepods/pod${UID_DB}/${WEB}\n`
    expect((await node.find(node.subject({ cgroup }))).identity).toMatchObject({
      status: 'unverified',
      reason: `the pod in the cgroup path is ${UID_DB}, the runtime reports ${UID}`,
    })
  })

  test('that no runtime knows are reported [identity-10]', async ({ node }) => {
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

test('a crash of the pause process is verified for the pod, without a container [identity-17]', async ({
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

describe('N1: a cgroup made by a user', () => {
  const forgeries = [
    ['in a delegated cgroup', `0::/user.slice/user-1000.slice/user@1000.service/crio-${WEB}.scope`],
    [
      'with the whole path of the pod',
      `0::/user.slice/x.scope/kubepods/burstable/pod${UID}/${WEB}`,
    ],
    ['on one hierarchy of many', `9:memory:/\n1:name=systemd:/\n0::/delegated/${WEB}`],
    ['in a container of another runtime', `0::/machine.slice/libpod-${OUTER}.scope/${WEB}`],
  ] as const
  test.for(forgeries)('%s is not verified, and names no pod', async ([, cgroup], { node }) => {
    const { identity, containers } = await node.find(node.subject({ cgroup: `${cgroup}\n` }))
    expect(identity).toEqual({
      status: 'unverified',
      reason: expect.stringMatching(/^the cgroup of process 42, `.*`, is not one of the kubelet/),
    })
    expect(containers).toEqual([])
  })

  describe('where the runtime reports the path of the container', () => {
    const cgroupsPath = `kubepods-pod${UID.replaceAll('-', '_')}.slice:cri-containerd:${WEB}`
    const given = `/kubepods.slice/kubepods-pod${UID.replaceAll('-', '_')}.slice/cri-containerd-${WEB}.scope`
    test.override('known', {
      containers: [{ ...web, info: { pid: 7, runtimeSpec: { linux: { cgroupsPath } } } }],
    })
    test('is verified in that path, and in a cgroup below it', async ({ node }) => {
      for (const cgroup of [`0::${given}`, `1:cpu:${given}/own\n0::${given}/own`]) {
        const { identity } = await node.find(node.subject({ cgroup }))
        expect(identity).toMatchObject({ status: 'verified', pod: 'web' })
      }
    })
    test('is not verified with another prefix', async ({ node }) => {
      const { identity } = await node.find(node.subject({ cgroup: `0::/user.slice${given}\n` }))
      expect(identity.status).toBe('unverified')
      expect(identity.reason).toContain(`is not \`${given}\``)
    })
    test('is not verified where one line of many has another prefix', async ({ node }) => {
      const cgroup = `1:cpu:${given}\n0::/user.slice${given}\n`
      expect((await node.find(node.subject({ cgroup }))).identity.status).toBe('unverified')
    })
  })

  describe('where CRI-O reports the path of the container, below a cgroup root of its own', () => {
    const given = `/nodes/kubepods/burstable/pod${UID}/crio-${WEB}`
    test.override('known', {
      containers: [{ ...web, info: { runtimeSpec: { linux: { cgroupsPath: given } } } }],
    })
    test('is verified in that path', async ({ node }) => {
      const cgroup = `9:name=systemd:${given}\n1:cpu:${given}/container\n0::${given}\n`
      expect((await node.find(node.subject({ cgroup }))).identity.status).toBe('verified')
    })
    test('is not verified below the root of another kubelet', async ({ node }) => {
      const cgroup = `0::/kubepods/burstable/pod${UID}/crio-${WEB}\n`
      expect((await node.find(node.subject({ cgroup }))).identity.status).toBe('unverified')
    })
  })

  describe('by the first process of a container itself', () => {
    test.override('known', { containers: [{ ...web, info: { pid: 42 } }] })
    test('is not its own proof', async ({ node }) => {
      const { identity } = await node.find(node.subject({ cgroup: `0::/delegated/${WEB}\n` }))
      expect(identity.status).toBe('unverified')
    })
  })
})

describe('C4a: a container that was removed', () => {
  test.override('known', { containers: [{ id: DB, sandboxId: 'e'.repeat(64), name: 'db' }] })
  test('does not lead to a container that its cgroup names further in', async ({ node }) => {
    const cgroup = `0::/kubepods/burstable/pod${UID}/${OUTER}/pod${UID_DB}/${DB}\n`
    const { identity } = await node.find(node.subject({ cgroup }))
    expect(identity).toMatchObject({ status: 'unverified', podUid: UID })
    expect(identity.pod).toBeUndefined()
    expect(identity.reason).toContain(`knows no container ${OUTER}`)
  })
})

describe('C11: a cgroup that names a pod but no container', () => {
  const cgroup = `0::/kubepods/burstable/pod${UID}\n`
  for (const nspid of [[42], [42, 1]]) {
    test(`is that of the pod, never the host, with ${nspid.length} pid namespaces`, async ({
      node,
    }) => {
      const subject = node.subject({ cgroup, nspid }, { ...CRASH, pid: nspid.at(-1) })
      const { identity, podInfo, containers } = await node.find(subject)
      expect(identity).toEqual({
        status: 'verified',
        reason: expect.stringContaining('in the cgroup of the pod'),
        pod: 'web',
        namespace: 'shop',
        podUid: UID,
      })
      expect(podInfo).toMatchObject({ id: PAUSE })
      expect(containers.map(({ crashed }) => crashed)).toEqual([false, false])
    })
  }

  test('is unverified with the uid where the runtime does not know the pod', async ({ node }) => {
    const unknown = '99999999-2222-3333-4444-555555555555'
    const subject = node.subject(
      { cgroup: `0::/kubepods/pod${unknown}\n`, nspid: [42] },
      { ...CRASH, pid: 42 },
    )
    expect((await node.find(subject)).identity).toMatchObject({
      status: 'unverified',
      podUid: unknown,
      reason: expect.stringContaining(`knows no pod ${unknown}`),
    })
  })

  test('is unverified in a cgroup that a user made', async ({ node }) => {
    const subject = node.subject({ cgroup: `0::/user.slice/kubepods/pod${UID}\n` })
    expect((await node.find(subject)).identity).toMatchObject({ status: 'unverified' })
  })

  test('a Kata hypervisor is in the sandbox of its pod', async ({ node }) => {
    const { identity } = await node.find(node.subject({ cgroup: `0::/kata_overhead/${PAUSE}\n` }))
    expect(identity).toMatchObject({
      status: 'verified',
      pod: 'web',
      reason: expect.stringContaining('virtual machine'),
    })
  })
})
