import type { Random } from './random.ts'

/** Stands as a value of environment variables in all answers; no output may hold it. */
export const CANARY = 'hunter2-canary'

export const CONTAINER: string = 'c3'.repeat(32)
export const SANDBOX: string = 'a1'.repeat(32)
export const POD_UID = '3d2c1b0a-1111-4222-8333-444455556666'
const IMAGE = `sha256:${'1f'.repeat(32)}`

const labels = {
  'io.kubernetes.container.name': 'main',
  'io.kubernetes.pod.name': 'web-1',
  'io.kubernetes.pod.namespace': 'shop',
  'io.kubernetes.pod.uid': POD_UID,
}
const secrets = {
  runtimeSpec: { process: { env: [`TOKEN=${CANARY}`, 'PATH=/bin'] } },
  config: { envs: [{ key: 'TOKEN', value: CANARY }] },
}
const annotations = {
  'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({
    spec: { containers: [{ env: [{ name: 'TOKEN', value: CANARY }] }] },
  }),
}
const pod = {
  id: SANDBOX,
  metadata: { name: 'web-1', uid: POD_UID, namespace: 'shop', attempt: 0 },
  labels: { app: 'web', 'info.coredump/team': 'checkout', ...labels },
  annotations,
}
const container = {
  id: CONTAINER,
  podSandboxId: SANDBOX,
  metadata: { name: 'main', attempt: 3 },
  image: { image: IMAGE },
  imageRef: IMAGE,
  labels,
  annotations,
}
const image = { id: IMAGE, repoTags: ['web:1'], repoDigests: [`web@${IMAGE}`] }

/** What crictl prints, by its first word. */
export const CRICTL: Readonly<Record<string, object>> = {
  pods: { items: [{ ...pod, state: 'SANDBOX_READY', createdAt: '1700000000000000000' }] },
  inspectp: { status: { ...pod, createdAt: '2026-01-01T00:00:00.5Z' }, info: secrets },
  ps: { containers: [{ ...container, state: 'CONTAINER_RUNNING', createdAt: '17' }] },
  inspect: {
    status: { ...container, createdAt: '2026-01-01T00:00:00Z', logPath: '/nowhere/0.log' },
    info: { sandboxID: SANDBOX, pid: 4242, ...secrets },
  },
  img: { images: [{ ...image, size: '1' }] },
}

/** The same as CRI messages, by method. */
export const GRPC: Readonly<Record<string, object>> = {
  ListPodSandbox: { items: [{ ...pod, createdAt: '1700000000000000000' }] },
  PodSandboxStatus: { status: pod, info: { info: JSON.stringify(secrets) } },
  ListContainers: { containers: [{ ...container, state: 1 }] },
  ContainerStatus: {
    status: { ...container, logPath: '/nowhere/0.log' },
    info: { info: JSON.stringify({ sandboxID: SANDBOX, pid: 4242, ...secrets }) },
  },
  ImageStatus: { image: { ...image, size: 1 } },
}

/** A cgroup that leads to the container above, or not quite. */
export function cgroup(random: Random): string {
  const sound = `0::/kubepods.slice/kubepods-pod${POD_UID.replaceAll('-', '_')}.slice/cri-containerd-${CONTAINER}.scope\n`
  return random.once(5) ? sound.replace('c3c3', 'c4c4') : sound
}
