import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A pod of one container, as crictl reports it. */
export interface ScriptedPod {
  readonly name: string
  readonly namespace: string
  readonly uid: string
  readonly containerId: string
  /** Host pid of the container's first process. */
  readonly pid: number
}

const SANDBOX_ID = '5'.repeat(64)
const IMAGE_ID = `sha256:${'1'.repeat(64)}`
const DIGEST = `registry.test/server@sha256:${'d'.repeat(64)}`

/**
 * A crictl that prints files, with a warning on stderr each time, as the real one without a
 * configuration; a call without a file fails, all calls are recorded. It hangs once
 * there is a file `hang` beside it.
 */
export class ScriptedCrictl {
  readonly #directory: string

  constructor(directory: string, pod: ScriptedPod) {
    this.#directory = join(directory, 'answers')
    mkdirSync(this.#directory)
    for (const [call, answer] of Object.entries(answers(pod))) {
      const text = typeof answer === 'string' ? answer : JSON.stringify(answer)
      writeFileSync(join(this.#directory, call), text)
    }
    this.deploy(directory)
  }

  /** Put it into `directory`, in place of the one there. */
  deploy(directory: string): void {
    const path = join(directory, 'crictl')
    rmSync(path, { force: true })
    writeFileSync(path, script(this.#directory), { mode: 0o755 })
  }

  hang(): void {
    writeFileSync(join(this.#directory, 'hang'), '')
  }

  /** What it was called with, one line for each call. */
  get calls(): string[] {
    return readFileSync(join(this.#directory, 'calls'), 'utf8').trimEnd().split('\n')
  }
}

function script(directory: string): string {
  return `#!/bin/sh
[ "$1" = -c ] && shift 2
echo "$*" >>'${directory}/calls'
echo 'WARN[0000] runtime connect using default endpoints' >&2
[ -e '${directory}/hang' ] && tail -f '${directory}/hang'
exec cat "${directory}/$1"
`
}

function answers({ name, namespace, uid, containerId, pid }: ScriptedPod): Record<string, unknown> {
  const labels = {
    'io.kubernetes.pod.name': name,
    'io.kubernetes.pod.namespace': namespace,
    'io.kubernetes.pod.uid': uid,
  }
  const sandbox = {
    id: SANDBOX_ID,
    metadata: { name, namespace, uid, attempt: 0 },
    state: 'SANDBOX_READY',
    createdAt: '1700000000000000000',
    labels,
    annotations: {},
  }
  const container = {
    id: containerId,
    metadata: { name: 'server', attempt: 3 },
    image: { image: IMAGE_ID },
    imageRef: DIGEST,
    state: 'CONTAINER_RUNNING',
    createdAt: '1700000000000000000',
    labels: { ...labels, 'io.kubernetes.container.name': 'server' },
    annotations: { 'io.kubernetes.container.restartCount': '3' },
  }
  return {
    pods: { items: [{ ...sandbox, metadata: { ...sandbox.metadata, name: `${name}0` } }, sandbox] },
    inspectp: { status: sandbox, info: { runtimeSpec: {} } },
    ps: { containers: [{ ...container, podSandboxId: SANDBOX_ID }] },
    inspect: { status: { ...container, logPath: '' }, info: { pid, sandboxID: SANDBOX_ID } },
    logs: 'a line of the container\n',
    img: { images: [{ id: IMAGE_ID, repoTags: [], repoDigests: [DIGEST], size: '1' }] },
  }
}
