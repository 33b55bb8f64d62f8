import { describe, expect, test } from 'vitest'
import { containerIds, podUid } from '../index.ts'

const A = 'a'.repeat(63) + '1'
const B = 'b'.repeat(63) + '2'
const K = 'c'.repeat(63) + '3'
const UID = '0f2b5c1e-9d3a-4e7b-8c6d-1a2b3c4d5e6f'
const OUTER = '11111111-2222-3333-4444-555555555555'
const SLICE_UID = UID.replaceAll('-', '_')
const STATIC = 'd3b07384d113edec49eaa6238ad5ff00'

interface Shape {
  readonly name: string
  readonly text: string
  readonly ids: readonly string[]
  readonly uid?: string
}

const SHAPES: readonly Shape[] = [
  { name: 'a host process', text: '0::/', ids: [] },
  { name: 'a host service', text: '0::/system.slice/containerd.service', ids: [] },
  {
    name: 'v1 with the cgroupfs driver, burstable, on every line',
    text: [12, 11, 1, 0]
      .map((n) => `${n}:${n ? `c${n}` : ''}:/kubepods/burstable/pod${UID}/${A}`)
      .join('\n'),
    ids: [A],
    uid: UID,
  },
  {
    name: 'cgroupfs, besteffort',
    text: `0::/kubepods/besteffort/pod${UID}/${A}`,
    ids: [A],
    uid: UID,
  },
  { name: 'cgroupfs, guaranteed', text: `0::/kubepods/pod${UID}/${A}`, ids: [A], uid: UID },
  {
    name: 'a cgroup2 mount namespace, where only one line names it',
    text: `4:memory:/\n1:name=systemd:/\n0::/kubepods/burstable/pod${UID}/${A}`,
    ids: [A],
    uid: UID,
  },
  {
    name: 'the systemd driver, burstable',
    text: `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${SLICE_UID}.slice/cri-containerd-${A}.scope`,
    ids: [A],
    uid: UID,
  },
  {
    name: 'the systemd driver, guaranteed',
    text: `0::/kubepods.slice/kubepods-pod${SLICE_UID}.slice/cri-containerd-${A}.scope`,
    ids: [A],
    uid: UID,
  },
  {
    name: 'a node in a container, as kind makes them',
    text: `0::/docker/${K}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${SLICE_UID}.slice/cri-containerd-${A}.scope`,
    ids: [K, A],
  },
  {
    name: 'a cluster in a pod of another cluster',
    text: `0::/kubepods/pod${OUTER}/${K}/kubepods/burstable/pod${UID}/${A}`,
    ids: [K, A],
    uid: OUTER,
  },
  {
    name: 'a prefix without an id',
    text: `0::/sdtest/kubepods.slice/kubepods-pod${SLICE_UID}.slice/cri-containerd-${A}.scope`,
    ids: [A],
    uid: UID,
  },
  {
    name: 'a path relative to a cgroup namespace, same QoS',
    text: `0::/../../kubepods-burstable-pod${SLICE_UID}.slice/cri-containerd-${A}.scope`,
    ids: [A],
    uid: UID,
  },
  {
    name: 'a path relative to a cgroup namespace, other QoS',
    text: `0::/../../../kubepods-burstable.slice/kubepods-burstable-pod${SLICE_UID}.slice/cri-containerd-${A}.scope`,
    ids: [A],
    uid: UID,
  },
  {
    name: 'two containers of one pod in a cgroup namespace, which see no pod',
    text: `0::/../cri-containerd-${A}.scope`,
    ids: [A],
  },
  {
    name: 'CRI-O',
    text: `0::/kubepods.slice/kubepods-pod${SLICE_UID}.slice/crio-${A}.scope/container`,
    ids: [A],
    uid: UID,
  },
  {
    name: "CRI-O's monitor, which is beside the container",
    text: `0::/kubepods.slice/kubepods-pod${SLICE_UID}.slice/crio-conmon-${A}.scope`,
    ids: [],
    uid: UID,
  },
  {
    name: 'docker behind cri-dockerd',
    text: `0::/kubepods.slice/kubepods-pod${SLICE_UID}.slice/docker-${A}.scope`,
    ids: [A],
    uid: UID,
  },
  {
    name: 'docker behind cri-dockerd with the cgroupfs driver',
    text: `0::/kubepods/besteffort/pod${UID}/${A}`,
    ids: [A],
    uid: UID,
  },
  {
    name: 'docker behind cri-dockerd with the systemd driver and cgroup v1',
    text: `11:memory:/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${SLICE_UID}.slice/docker-${A}.scope\n1:name=systemd:/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${SLICE_UID}.slice/docker-${A}.scope`,
    ids: [A],
    uid: UID,
  },
  {
    name: 'docker alone with the cgroupfs driver and cgroup v1',
    text: `11:memory:/docker/${A}\n1:name=systemd:/docker/${A}`,
    ids: [A],
  },
  {
    name: 'CRI-O with the cgroupfs driver',
    text: `0::/kubepods/burstable/pod${UID}/crio-${A}`,
    ids: [A],
    uid: UID,
  },
  {
    name: 'CRI-O with cgroup v1, where the container made a cgroup of its own',
    text: `9:memory:/kubepods.slice/kubepods-pod${SLICE_UID}.slice/crio-${A}.scope\n1:name=systemd:/kubepods.slice/kubepods-pod${SLICE_UID}.slice/crio-${A}.scope/init.scope\n0::/`,
    ids: [A],
    uid: UID,
  },
  {
    name: 'containerd with the systemd driver and cgroup v1',
    text: `10:pids:/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${SLICE_UID}.slice/cri-containerd-${A}.scope\n0::/`,
    ids: [A],
    uid: UID,
  },
  {
    name: 'containerd without the CRI prefix, in a slice of systemd',
    text: `0::/system.slice/containerd.service/kubepods-burstable-pod${SLICE_UID}.slice:cri-containerd:${A}`,
    ids: [A],
    uid: UID,
  },
  {
    name: 'k3s in a docker container (k3d)',
    text: `0::/docker/${K}/kubepods/besteffort/pod${UID}/${A}`,
    ids: [K, A],
  },
  { name: 'docker alone', text: `0::/system.slice/docker-${A}.scope`, ids: [A] },
  {
    name: 'a static pod, whose uid is a hash',
    text: `0::/kubepods/burstable/pod${STATIC}/${A}`,
    ids: [A],
    uid: STATIC,
  },
  {
    name: 'a cgroup made inside the container and named after another one',
    text: `0::/kubepods/pod${UID}/${A}/pod${OUTER}/${B}`,
    ids: [A, B],
    uid: UID,
  },
  {
    name: 'lines that differ: outer ids of all lines come before inner ones',
    text: `2:cpu:/kubepods/pod${UID}/${A}/${B}\n1:memory:/${K}`,
    ids: [A, K, B],
    uid: UID,
  },
  {
    name: 'lines in two pods, none of which is returned',
    text: `2:cpu:/kubepods/pod${UID}/${A}\n1:memory:/kubepods/pod${OUTER}/${B}`,
    ids: [A, B],
  },
  {
    name: 'gVisor, whose sandbox is in the cgroup of its pod',
    text: `0::/kubepods/burstable/pod${UID}`,
    ids: [],
    uid: UID,
  },
  {
    name: 'gVisor with the systemd driver and cgroup v1',
    text: `4:memory:/kubepods.slice/kubepods-pod${SLICE_UID}.slice\n1:name=systemd:/kubepods.slice/kubepods-pod${SLICE_UID}.slice`,
    ids: [],
    uid: UID,
  },
  {
    name: 'gVisor in a container of its own cgroup',
    text: `0::/kubepods/burstable/pod${UID}/${A}`,
    ids: [A],
    uid: UID,
  },
  {
    name: 'a Kata hypervisor in the cgroup of its pod',
    text: `0::/kubepods/burstable/pod${UID}/kata_${A}`,
    ids: [A],
    uid: UID,
  },
  {
    name: 'a Kata hypervisor with cgroup v1',
    text: `4:memory:/kata_overhead/${A}\n1:name=systemd:/kata_overhead/${A}`,
    ids: [A],
  },
  {
    name: 'a Kata hypervisor',
    text: `0::/kata_overhead/${A}`,
    ids: [A],
  },
  { name: 'a hex run that is longer than an id', text: `0::/${A}${B}/x${A}f`, ids: [] },
  { name: 'a cgroup that was deleted', text: `0::/kubepods/${A} (deleted)`, ids: [A] },
  { name: 'nothing', text: '', ids: [] },
]

describe('a /proc/<pid>/cgroup of', () => {
  test.for(SHAPES)('$name', ({ text, ids, uid }) => {
    expect(containerIds(`${text}\n`)).toEqual(ids)
    expect(podUid(`${text}\n`)).toBe(uid)
  })
})

test.for(['\r', '\u2028', '\u2029', '\u0085', '\v'])(
  'C11: a cgroup named %j that a process made below its own hides nothing',
  (name) => {
    const text = `0::/kubepods/pod${UID}/${A}/${name}\n`
    expect(containerIds(text)).toEqual([A])
    expect(podUid(text)).toBe(UID)
  },
)

test('parses any number of lines and ids', () => {
  const id = 'a'.repeat(64)
  const pod = 'pod3d2c1b0a-1111-4222-8333-444455556666'
  expect(containerIds('\n'.repeat(262_144))).toEqual([])
  expect(containerIds(`${pod}/${id}/`.repeat(2400))).toEqual([id])
  expect(podUid(`${pod}/${id}/`.repeat(2400))).toBe(pod.slice(3))
})
