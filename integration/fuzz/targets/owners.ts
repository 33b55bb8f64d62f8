import { join } from 'node:path'
import { startLookup, openRuntime, snapshotProcess } from '@core-dump-handler/cri'
import { serveCri } from '@core-dump-handler/testing/cri/cri-server'
import { fakeProc, type FakeProcess } from '@core-dump-handler/testing/cri/fake-proc'
import type { Random } from '../generate/random.ts'
import { promised } from '../support/promises.ts'
import type { Target } from '../support/target.ts'

const PID = 4242
// of the first process of every container, by the fake runtime
const INIT_PID = 7
const CRASH = { timestamp: 1_700_000_200, pid: 1, uid: 1000, gid: 1000 }
// names repeat over namespaces, and containers over pods: only ids distinguish them
const PODS = Array.from({ length: 24 }, (_, n) => ({
  id: (n + 100).toString(16).repeat(32),
  name: `web-${n % 6}`,
  namespace: `team-${n % 4}`,
  uid: `3d2c1b0a-1111-4222-8333-${String(n).padStart(12, '0')}`,
}))
const CONTAINERS = PODS.map((pod, n) => ({
  id: (n + 200).toString(16).repeat(32),
  sandboxId: pod.id,
  name: 'main',
}))
const CLUSTER = { sandboxes: PODS, containers: CONTAINERS, images: [] }

export const owners: Target = {
  name: 'owners',
  what: 'crashes in 24 pods, by forged cgroups and reused pids',
  async begin(directory) {
    const socket = join(directory, 'cri.sock')
    const server = await serveCri(socket, CLUSTER)
    const runtime = await openRuntime({ client: 'grpc', endpoint: socket })
    return {
      async round(random, root) {
        const owner = random.below(PODS.length)
        const { cgroup, init, sound } = cgroupOf(random, owner)
        const changed = random.once(3) ? random.pick(DOUBTS) : undefined
        fakeProc(root, { pid: PID, cgroup, ...changed })
        fakeProc(root, { pid: INIT_PID, cgroup: init })
        const snapshot = snapshotProcess(PID, { root })
        const hostname = random.pick(PODS).name
        const search = startLookup({ snapshot, hostname, crash: CRASH }, runtime, {
          procRoot: root,
        })
        const { identity } = await search.identified
        await search.close()

        const describe = (): string =>
          `${cgroup} is of ${owner}, identified as ${JSON.stringify(identity)}`
        const { name, namespace, uid } = PODS[owner] ?? {}
        const isOwner =
          identity.podUid === uid && identity.pod === name && identity.namespace === namespace
        if (identity.status === 'verified') promised(isOwner && changed === undefined, describe)
        if (sound && changed === undefined) promised(identity.status === 'verified', describe)
      },
      async end() {
        runtime.close()
        server.close()
      },
    }
  },
}

/** Signs that the pid names another process by now. */
const DOUBTS: readonly Omit<FakeProcess, 'pid'>[] = [
  { coreDumping: false },
  { startTicks: 90_000 },
  { nspid: [PID, 7] },
  { nspid: [PID] },
  { uid: 0 },
  { gid: 0 },
]

interface Cgroups {
  readonly cgroup: string
  /** Of the first process of the container. */
  readonly init: string
  /** Nothing about it gives reason to doubt. */
  readonly sound: boolean
}

/** The cgroups of a process of that pod and of the first process of its container. */
function cgroupOf(random: Random, owner: number): Cgroups {
  const other = (owner + 1 + random.below(PODS.length - 1)) % PODS.length
  const own = pathOf(random, owner)
  // what a process can make below its own, and what a cluster around this one may have above it
  const inside = random.pick(['', '', `/${idOf(other)}`, `/cri-containerd-${idOf(other)}.scope`])
  const outside = random.pick(['', '', `/docker/${random.bytes(32).toString('hex')}`])
  const path = `${outside}${own}${inside}`
  const init = `2:memory:${outside}${own}\n1:cpu:${outside}${own}\n0::${outside}${own}\n`
  if (random.once(6)) {
    // of another pod, by the path
    const forged = path.replace(/3d2c1b0a.*?(\d{12})/, (uid) => uid.slice(0, -12) + pad(other))
    return { cgroup: `0::${forged}\n`, init, sound: false }
  }
  // in version 1 each controller has its own, and they may disagree
  if (random.once(6)) {
    const lines = [`2:memory:${path}`, `1:cpu:${pathOf(random, other)}`]
    return { cgroup: `${random.shuffled(lines).join('\n')}\n`, init, sound: false }
  }
  return {
    cgroup: random.once(2) ? `0::${path}\n` : `2:memory:${path}\n1:cpu:${path}\n`,
    init,
    sound: true,
  }
}

function pathOf(random: Random, pod: number): string {
  const { uid = '' } = PODS[pod] ?? {}
  const slice = `/kubepods.slice/kubepods-burstable-pod${uid.replaceAll('-', '_')}.slice`
  return random.pick([
    `/kubepods/burstable/pod${uid}/${idOf(pod)}`,
    `${slice}/cri-containerd-${idOf(pod)}.scope`,
    `${slice}/crio-${idOf(pod)}.scope/container`,
  ])
}

const idOf = (pod: number): string => CONTAINERS[pod]?.id ?? ''
const pad = (pod: number): string => String(pod).padStart(12, '0')
