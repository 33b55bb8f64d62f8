import type { CoreEntry } from '@core-dump-handler/testing/bench/entries'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BundleManifest } from '@core-dump-handler/bundle'
import type { Random } from '../fuzz/generate/random.ts'
import { composersOf } from '@core-dump-handler/testing/processes'
import type { Containerd } from '@core-dump-handler/testing/containerd/containerd'
import { runPod, type Pod } from '@core-dump-handler/testing/containerd/pod'
import { until } from '@core-dump-handler/testing/until'
import type { PausableRuntime } from './pausable-runtime.ts'
import type { Home } from './pods.ts'

/** Whose crash it truly is. */
export interface Crash {
  /** As `nameOf` has it of its bundle. */
  readonly comm: string
  readonly kind: CrashKind
  readonly podUid: string
  readonly pod: string
  readonly namespace: string
  readonly containerId: string
}

/** What the crashing process is, and what it did before. */
export const CRASH_KINDS = {
  child: 'a child of the container’s first process',
  grandchild: 'a forked child of that',
  thread: 'a thread',
  exec: 'a process that was exec’d into the container',
  inner: 'moved itself into a cgroup below its own that is named after another container',
  split: 'moved itself into another container’s cgroup, in some hierarchies but not in all',
  root: 'moved itself out of all containers, in some hierarchies but not in all',
  first: 'the first process of a new pod that has the names of another',
  removed: 'the same, its pod removed before its composer could ask',
  sandbox: 'the sandbox (pause) process of such a pod',
} as const
export type CrashKind = keyof typeof CRASH_KINDS

export function isCrashKind(name: string): name is CrashKind {
  return name in CRASH_KINDS
}

/** The name of the process, which is its alone; a sandbox process has none of its own, but a pid. */
export function nameOf({ crash: { comm = '', hostPid } }: BundleManifest): string {
  return comm === 'pause' ? `pause-${hostPid}` : comm
}

export interface Scene {
  readonly containerd: Containerd
  readonly homes: readonly Home[]
  readonly directory: string
  /** Of composers and barriers. */
  readonly hostDir: string
  readonly entry: CoreEntry
  /** The socket that composer and receiver ask. */
  readonly runtime: PausableRuntime
  /** The runtime is about to be restarted: what it was asked to do might not happen. */
  readonly restarts: boolean
  /** Pods that were made for one crash; to be removed when their owner has been found. */
  readonly passing: Pod[]
}

/** Crash a random process in a random pod; resolves once it has been started. */
export async function crash(scene: Scene, random: Random, serial: number): Promise<Crash> {
  const home = random.pick(scene.homes)
  const kind = pickKind(random, home, scene)
  return crashAs(kind, home, `crash-${String(serial).padStart(5, '0')}`, scene, random)
}

/** Crash a process of that kind and the name `comm` in `home`. */
export async function crashAs(
  kind: CrashKind,
  home: Home,
  comm: string,
  scene: Scene,
  random: Random,
): Promise<Crash> {
  const { pod, containerId } = home
  const { name, namespace, uid: podUid } = pod
  const truth = { comm, kind, podUid, pod: name, namespace, containerId }
  if (kind === 'first' || kind === 'removed' || kind === 'sandbox')
    return { ...truth, ...(await newPod(scene, home, comm, kind)) }
  const crasher = `/bin/crasher -l 0 -n ${Buffer.from(comm).toString('hex')} -w ${random.below(400)}`
  if (kind === 'exec') {
    // answers when the process has died, that is when its composer has read the core
    const cmd = crasher.split(' ')
    scene.containerd.runtime.call('ExecSync', { containerId, cmd }).catch(() => {})
  } else {
    const other = random.pick(scene.homes.filter((each) => each.pod.uid !== podUid))
    home.order(orderOf(kind, crasher, home, other, random))
  }
  return truth
}

function pickKind(random: Random, home: Home, { restarts }: Scene): CrashKind {
  const kinds: CrashKind[] = ['child', 'child', 'child', 'grandchild', 'thread', 'inner', 'inner']
  // one hierarchy is either left or not
  if (home.cgroups.length > 1) kinds.push('split', 'split', 'root')
  if (random.once(12)) return random.pick(['first', 'removed', 'sandbox'] as const)
  if (!restarts && random.once(12)) return 'exec'
  return random.pick(kinds)
}

function orderOf(
  kind: CrashKind,
  crasher: string,
  home: Home,
  other: Home,
  random: Random,
): string {
  const own = home.cgroups
  const some = random
    .shuffled(own.map((_, index) => index))
    .slice(0, 1 + random.below(own.length - 1 || 1))
  switch (kind) {
    case 'grandchild':
      return `${crasher} -f`
    case 'thread':
      return `${crasher} -t`
    case 'inner': {
      const inner = own.map((path) => `${path}/${other.containerId}`).join(' ')
      // a new cpuset takes no process before it is given CPUs
      return `for c in ${inner}; do mkdir -p $c; echo 0 > $c/cgroup.procs; done 2>/dev/null; exec ${crasher}`
    }
    case 'split': {
      const theirs = some.map((index) => `echo 0 > ${other.cgroups[index]}/cgroup.procs`)
      return `${theirs.join(' && ')} && exec ${crasher}`
    }
    case 'root': {
      const roots = some.map(
        (index) => `echo 0 > ${own[index]?.split('/core-dump-handler-test')[0]}/cgroup.procs`,
      )
      return `${roots.join(' && ')} && exec ${crasher}`
    }
    default:
      return `exec ${crasher}`
  }
}

/** Another pod under the names of `home`, of which the first process or the sandbox crashes. */
async function newPod(
  { containerd, directory, hostDir, entry, runtime, passing }: Scene,
  home: Home,
  comm: string,
  kind: CrashKind,
): Promise<Partial<Crash>> {
  const place = join(directory, comm)
  mkdirSync(place)
  const name = Buffer.from(comm).toString('hex')
  const args = ['-l', '0', '-m', '24', '-n', name, '-g', '/barrier/open']
  const { shares: _, ...spec } = home.spec
  const pod = await runPod(containerd, {
    ...spec,
    containers: [{ args, mounts: { '/barrier': place } }],
  })
  if (kind === 'sandbox') {
    const pid = await pod.sandboxPid()
    process.kill(pid, 'SIGUSR1')
    passing.push(pod)
    return { comm: `pause-${pid}`, podUid: pod.uid, containerId: pod.sandboxId }
  }
  const hostPid = await pod.hostPid()
  const open = (): void => writeFileSync(join(place, 'open'), '')
  if (kind === 'removed' && entry === 'socket') {
    await removeBeforeAnswer(pod, runtime, hostPid, open)
  } else {
    open()
    if (kind === 'removed') await removeBeforeLookUp(pod, hostDir, hostPid)
    else passing.push(pod)
  }
  return { podUid: pod.uid, containerId: pod.containerIds[0] ?? '' }
}

/** Stop the composer as soon as it is there, remove the pod under it, and let it go on. */
async function removeBeforeLookUp(pod: Pod, hostDir: string, hostPid: number): Promise<void> {
  const { pid } = await until('the composer starts', () =>
    composersOf(hostDir).find((composer) => composer.hostPid === hostPid),
  )
  process.kill(pid, 'SIGSTOP')
  try {
    await pod.remove()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}

/** A receiver has other crashes, too, and is not stopped: the runtime answers it when the pod is gone. */
async function removeBeforeAnswer(
  pod: Pod,
  runtime: PausableRuntime,
  hostPid: number,
  open: () => void,
): Promise<void> {
  const shut = runtime.shut()
  try {
    open()
    await until('its process is released', () => !existsSync(`/proc/${hostPid}`))
    await pod.remove()
  } finally {
    shut.open()
  }
}
