import { fakeProc } from '@core-dump-handler/testing/cri/fake-proc'
import { test } from '@core-dump-handler/testing/scratch'
import { snapshotProcess } from '@core-dump-handler/cri'
import { describe, expect } from 'vitest'
import { createCrash } from '../crash.ts'
import { fairnessScope, workloadOf } from './workload.ts'

const ID = 'a'.repeat(64)
const NODE = 'c'.repeat(64)
const UID = '0f2b5c1e-9d3a-4e7b-8c6d-1a2b3c4d5e6f'
const SLICE = `kubepods-burstable-pod${UID.replaceAll('-', '_')}.slice`
const CRASH = createCrash({ signal: '6', exeName: 'web' })

describe('scope of a workload, for the rate limit and for fairness', () => {
  test.for([
    ['a container', `0::/kubepods/burstable/pod${UID}/${ID}`, UID],
    ['CRI-O', `0::/kubepods.slice/kubepods-burstable.slice/${SLICE}/crio-${ID}.scope`, UID],
    ['C11: the sandbox of gVisor', `0::/kubepods/burstable/pod${UID}`, UID],
    ["the monitor of CRI-O, in the pod's cgroup", `0::/kubepods/pod${UID}/crio-conmon-${ID}`, UID],
    ['what a process made below its own', `0::/kubepods/pod${UID}/${ID}/podx/${NODE}`, UID],
    ['a Kata hypervisor', `0::/kata_overhead/${ID}`, ID],
    ['a container outside Kubernetes', `0::/system.slice/docker-${ID}.scope`, ID],
    ['one hierarchy of several', `4:memory:/\n0::/kubepods/pod${UID}/${ID}`, UID],
    ['a host program', '0::/system.slice/sshd.service', 'host'],
  ] as const)('%s', ([, cgroup, scope], { dir }) => {
    fakeProc(dir, { pid: 42, cgroup: `${cgroup}\n` })
    const workload = workloadOf(CRASH, snapshotProcess(42, { root: dir }))
    expect(workload.scope).toBe(scope)
    const fair = scope === 'host' ? 'host /usr/bin/victim web' : scope
    expect(fairnessScope(workload, CRASH)).toBe(fair)
  })

  test('N1: is never that of a pod whose name another user gave to a cgroup', ({ dir }) => {
    const scopes = [
      `0::/user.slice/user-1000.slice/kubepods/pod${UID}/${ID}`,
      `0::/docker/${NODE}/kubelet.slice/${SLICE}/cri-containerd-${ID}.scope`,
      `4:memory:/\n0::/delegated/pod${UID}/${ID}`,
    ].map((cgroup, index) => {
      const root = `${dir}/${index}`
      fakeProc(root, { pid: 42, cgroup: `${cgroup}\n` })
      return workloadOf(CRASH, snapshotProcess(42, { root })).scope
    })
    expect(new Set([...scopes, UID]).size).toBe(4)
    for (const scope of scopes) expect(scope).toMatch(/^[0-9a-f]{32}_[0-9a-f]{8}$/)
  })
})
