import { type FakeCrictl, fakeCrictl, prints } from './fake-crictl.ts'

/** A pod of one container, as crictl reports it. */
export interface CrictlPod {
  readonly name: string
  readonly namespace: string
  readonly uid: string
  readonly containerId: string
  readonly container: string
  /** Host pid of the container's first process. */
  readonly pid: number
  /** Absolute path of the container's cgroup. */
  readonly cgroupsPath?: string
}

const SANDBOX = 'a1'.repeat(32)
const IMAGE = 'sha256:' + '1f'.repeat(32)
export const DIGEST = 'registry.example/web@sha256:' + '2e'.repeat(32)

/** A crictl in `dir` on a node with this pod; `overrides` is what it prints instead, undefined: it fails. */
export function crictlOfPod(
  dir: string,
  pod: CrictlPod,
  overrides: Readonly<Record<string, string | undefined>> = {},
): FakeCrictl {
  // as the real one without a configuration
  const warn = "echo 'WARN[0000] runtime connect using default endpoints: they are deprecated' >&2"
  const answers: Record<string, string> = {}
  for (const [verb, answer] of Object.entries({ ...answersOf(pod), ...overrides })) {
    if (answer === undefined) continue
    const stderr = verb === 'logs' ? "\necho 'panic: it broke' >&2" : ''
    answers[verb] = `${warn}\n${prints(answer)}${stderr}`
  }
  return fakeCrictl(dir, answers)
}

function answersOf({
  name,
  namespace,
  uid,
  containerId,
  container,
  pid,
  cgroupsPath,
}: CrictlPod): Record<string, unknown> {
  const labels = {
    'io.kubernetes.container.name': container,
    'io.kubernetes.pod.name': name,
    'io.kubernetes.pod.namespace': namespace,
    'io.kubernetes.pod.uid': uid,
  }
  const sandbox = {
    id: SANDBOX,
    metadata: { name, uid, namespace, attempt: 0 },
    state: 'SANDBOX_READY',
    createdAt: '1700000000000000000',
    labels: { app: 'web', 'info.coredump/team': 'checkout', ...labels },
    annotations: {},
  }
  const info = {
    id: containerId,
    podSandboxId: SANDBOX,
    metadata: { name: container, attempt: 3 },
    image: { image: IMAGE },
    imageRef: IMAGE,
    state: 'CONTAINER_RUNNING',
    createdAt: '1700000001000000000',
    labels,
    annotations: { 'io.kubernetes.container.restartCount': '3' },
  }
  const images = [
    { id: IMAGE, repoTags: ['registry.example/web:1'], repoDigests: [DIGEST], size: '1' },
  ]
  // --name is a regular expression without anchors
  const other = { ...sandbox, id: 'b2', metadata: { ...sandbox.metadata, name: `${name}0` } }
  const env = ['SECRET=hunter2']
  return {
    pods: { items: [sandbox, other] },
    inspectp: { status: sandbox, info: { runtimeSpec: { process: { env } } } },
    ps: { containers: [info] },
    inspect: {
      status: info,
      info: { sandboxID: SANDBOX, pid, runtimeSpec: { linux: { cgroupsPath } } },
    },
    img: { images },
    logs: 'starting\nserving',
  }
}
