import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { podsCgroup, removeCgroups } from '../kernel/pod-cgroup.ts'
import { CRASHER_IMAGE, type Containerd } from './containerd.ts'
import { until } from '../until.ts'

export interface PodSpec {
  readonly name: string
  readonly namespace?: string
  /** @default the pod's name, as the kubelet has it */
  readonly hostname?: string
  /** Namespaces of this machine that it shares, as `hostNetwork` and `hostPID` have it. */
  readonly shares?: readonly ('network' | 'pid')[]
  /** Cgroup of a cluster around this one, as a node in a container has it; without slashes at its ends. */
  readonly inside?: string
  readonly containers: readonly ContainerSpec[]
}

export interface ContainerSpec {
  readonly name?: string
  readonly image?: string
  /** @default the image's */
  readonly command?: readonly string[]
  readonly args: readonly string[]
  readonly uid?: number
  readonly env?: Readonly<Record<string, string>>
  /** Path in the container → directory of this machine. */
  readonly mounts?: Readonly<Record<string, string>>
}

export interface Pod {
  readonly name: string
  readonly namespace: string
  readonly uid: string
  readonly containerIds: readonly string[]
  readonly sandboxId: string
  /** Pid of the sandbox (pause) process on this machine. */
  sandboxPid(): Promise<number>
  /** Pid of a container's first process on this machine. */
  hostPid(index?: number): Promise<number>
  /** Wait for the end of a container; resolves with its exit code. */
  exitCode(index?: number): Promise<number>
  remove(): Promise<void>
}

// without these the "unprivileged" container could write /proc/sys
const masked = {
  maskedPaths: ['/proc/kcore', '/proc/keys'],
  readonlyPaths: ['/proc/sys', '/proc/sysrq-trigger'],
}

/** Run a pod as the kubelet does: its labels, cgroup and log directory. */
export async function runPod(containerd: Containerd, spec: PodSpec): Promise<Pod> {
  const { runtime } = containerd
  const { name, namespace = 'default', shares = [], inside } = spec
  // a node's own host name cannot be set from a pod
  const hostname = shares.includes('network') ? '' : (spec.hostname ?? name)
  const uid = randomUUID()
  const cgroup = `${podsCgroup(inside)}/pod${uid}`
  const logDirectory = join(containerd.directory, 'pods', `${namespace}_${name}_${uid}`)
  const labels = {
    'io.kubernetes.pod.name': name,
    'io.kubernetes.pod.namespace': namespace,
    'io.kubernetes.pod.uid': uid,
  }
  const namespaceOptions = {
    network: shares.includes('network') ? 'NODE' : 'POD',
    pid: shares.includes('pid') ? 'NODE' : 'CONTAINER',
    ipc: 'POD',
  }
  const sandboxConfig = {
    metadata: { name, uid, namespace, attempt: 0 },
    hostname,
    logDirectory,
    labels: { ...labels, app: name },
    linux: { cgroupParent: `/${cgroup}`, securityContext: { namespaceOptions } },
  }
  const { podSandboxId } = await runtime.call('RunPodSandbox', { config: sandboxConfig })
  const containerIds: string[] = []
  for (const [index, container] of spec.containers.entries()) {
    const containerName = container.name ?? (index ? `main-${index}` : 'main')
    mkdirSync(join(logDirectory, containerName), { recursive: true })
    const config = {
      metadata: { name: containerName, attempt: 0 },
      image: { image: container.image ?? CRASHER_IMAGE },
      ...(container.command && { command: container.command }),
      args: container.args,
      envs: Object.entries(container.env ?? {}).map(([key, value]) => ({ key, value })),
      mounts: Object.entries(container.mounts ?? {}).map(([containerPath, hostPath]) => ({
        containerPath,
        hostPath,
      })),
      labels: { ...labels, 'io.kubernetes.container.name': containerName },
      annotations: { 'io.kubernetes.container.restartCount': '0' },
      logPath: `${containerName}/0.log`,
      linux: {
        resources: {},
        securityContext: {
          namespaceOptions,
          ...(container.uid !== undefined && { runAsUser: { value: container.uid } }),
          ...masked,
        },
      },
    }
    const { containerId } = await runtime.call('CreateContainer', {
      podSandboxId,
      config,
      sandboxConfig,
    })
    await runtime.call('StartContainer', { containerId })
    containerIds.push(containerId)
  }
  return {
    name,
    namespace,
    uid,
    containerIds,
    sandboxId: podSandboxId,
    async sandboxPid() {
      const { info } = await runtime.call('PodSandboxStatus', { podSandboxId, verbose: true })
      return pidIn(info)
    },
    async hostPid(index = 0) {
      const containerId = containerIds[index] ?? ''
      const { info } = await runtime.call('ContainerStatus', { containerId, verbose: true })
      return pidIn(info)
    },
    async exitCode(index = 0) {
      const containerId = containerIds[index] ?? ''
      const ended = await until(`container ${index} of ${name} ends`, async () => {
        const { status } = await runtime.call('ContainerStatus', { containerId })
        return status.state === 'CONTAINER_EXITED' && status
      })
      return ended.exitCode
    },
    async remove() {
      await runtime.call('StopPodSandbox', { podSandboxId })
      await runtime.call('RemovePodSandbox', { podSandboxId })
      removeCgroups(cgroup)
    },
  }
}

/** The pid in the verbose part of a status response, which containerd writes as JSON. */
function pidIn(info: Readonly<Record<string, string>>): number {
  return v.parse(v.object({ pid: v.number() }), JSON.parse(info['info'] ?? '{}')).pid
}
