import { appendFileSync, globSync, mkdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { podsCgroup } from '@core-dump-handler/testing/kernel/pod-cgroup'
import type { Containerd } from '@core-dump-handler/testing/containerd/containerd'
import {
  runPod,
  type ContainerSpec,
  type Pod,
  type PodSpec,
} from '@core-dump-handler/testing/containerd/pod'

const CGROUP_ROOT = '/sys/fs/cgroup'
/** Where the pods see this machine's cgroups: some of them move themselves. */
const SEEN_AT = '/cgroup'

/** A container that runs shell commands of the test. */
export interface Home {
  readonly pod: Pod
  readonly spec: PodSpec
  readonly containerId: string
  /** Run a line of shell in it. */
  order(line: string): void
  /** Its cgroups as the pods see them: one in version 2, one per controller in version 1. */
  readonly cgroups: readonly string[]
  /** The same as this machine sees them. */
  readonly hostCgroups: readonly string[]
}

// names repeat over namespaces and host names over pods: only ids distinguish them
const SPECS: readonly Omit<PodSpec, 'containers'>[] = [
  ...['red', 'green', 'blue', 'grey'].flatMap((namespace) =>
    ['web-0', 'web-1', 'web-10', 'my-web-1', 'db-0'].map((name) => ({
      name,
      namespace,
      hostname: name === 'db-0' ? 'web-0' : name,
    })),
  ),
  { name: 'proxy', namespace: 'red', shares: ['network'] },
  { name: 'proxy', namespace: 'blue', shares: ['network', 'pid'] },
  { name: 'tracer', namespace: 'green', shares: ['pid'] },
  { name: 'tracer', namespace: 'grey', shares: ['pid'], hostname: 'web-0' },
]

/** Start the pods, every fifth with a second container of its own. */
export async function startHomes(
  containerd: Containerd,
  directory: string,
  specs: readonly Omit<PodSpec, 'containers'>[] = SPECS,
): Promise<Home[]> {
  const homes: Home[] = []
  for (const [index, spec] of specs.entries()) {
    const places = [0, 1].slice(0, index % 5 === 0 ? 2 : 1).map((which) => {
      const place = join(directory, `orders-${index}-${which}`)
      mkdirSync(place)
      execaSync('mkfifo', [join(place, 'orders')])
      return place
    })
    const whole = { ...spec, containers: places.map(obedient) }
    const pod = await runPod(containerd, whole)
    for (const [which, place] of places.entries()) {
      homes.push(homeOf(pod, whole, pod.containerIds[which] ?? '', join(place, 'orders')))
    }
  }
  return homes
}

/** Remove the cgroups that crashes made inside those of a container: the pod's removal stops at them. */
export function removeInner({ hostCgroups }: Home): void {
  for (const cgroup of hostCgroups.flatMap((path) => globSync(`${path}/*/`))) rmdirSync(cgroup)
}

function obedient(place: string): ContainerSpec {
  // open for reading and writing, so that it never ends
  const loop = 'exec 3<>/orders/orders; while read -r line <&3; do eval "$line" & done'
  return {
    command: ['/bin/sh', '-c', loop],
    args: [],
    mounts: { '/orders': place, [SEEN_AT]: CGROUP_ROOT },
  }
}

function homeOf(pod: Pod, spec: PodSpec, containerId: string, orders: string): Home {
  const path = `${podsCgroup(spec.inside)}/pod${pod.uid}/${containerId}`
  const hostCgroups = globSync(`${CGROUP_ROOT}/{*/,}${path}`).toSorted()
  return {
    pod,
    spec,
    containerId,
    order: (line) => appendFileSync(orders, `${line}\n`),
    cgroups: hostCgroups.map((cgroup) => cgroup.replace(CGROUP_ROOT, SEEN_AT)),
    hostCgroups,
  }
}
