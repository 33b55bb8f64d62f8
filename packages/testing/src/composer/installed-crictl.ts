import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export const POD_UID = '3d2c1b0a-1111-4222-8333-444455556666'
export const SANDBOX = 'a1'.repeat(32)
export const CONTAINER = 'c3'.repeat(32)
export const IMAGE = 'sha256:' + '1f'.repeat(32)
export const DIGEST = 'registry.example/web@sha256:' + '2e'.repeat(32)

/** A crictl that answers from files, warns on stderr as the real one, and keeps a list of its calls. */
export async function installCrictl(
  home: string,
  overrides: Record<string, string> = {},
): Promise<void> {
  await mkdir(join(home, 'answers'), { recursive: true })
  const answers = { ...ANSWERS, ...overrides }
  for (const [verb, answer] of Object.entries(answers)) {
    await writeFile(join(home, 'answers', verb), answer)
  }
  const script = `#!/bin/sh
dir=\${0%/*}
echo "$*" >> "$dir/calls"
if [ "$1" = -c ]; then shift 2; fi
echo 'WARN[0000] runtime connect using default endpoints: they are deprecated' >&2
[ -e "$dir/hang-$1" ] && { echo $$ >> "$dir/pids"; sleep 60; }
[ -e "$dir/answers/$1" ] || { echo 'FATA[0000] no such thing' >&2; exit 1; }
cat "$dir/answers/$1"
[ "$1" = logs ] && echo 'panic: it broke' >&2
exit 0
`
  await writeFile(join(home, 'crictl'), script, { mode: 0o755 })
}

/** The command lines crictl was called with. */
export async function crictlCalls(home: string): Promise<string[]> {
  const text = await readFile(join(home, 'calls'), 'utf8').catch(() => '')
  return text.split('\n').filter((line) => line !== '')
}

const LABELS = {
  'io.kubernetes.container.name': 'main',
  'io.kubernetes.pod.name': 'web-1',
  'io.kubernetes.pod.namespace': 'shop',
  'io.kubernetes.pod.uid': POD_UID,
}

const POD = {
  id: SANDBOX,
  metadata: { name: 'web-1', uid: POD_UID, namespace: 'shop', attempt: 0 },
  state: 'SANDBOX_READY',
  createdAt: '1700000000000000000',
  labels: { app: 'web', 'info.coredump/team': 'checkout', ...LABELS },
  annotations: {},
}

const CONTAINER_INFO = {
  id: CONTAINER,
  podSandboxId: SANDBOX,
  metadata: { name: 'main', attempt: 3 },
  image: { image: IMAGE },
  imageRef: IMAGE,
  state: 'CONTAINER_RUNNING',
  createdAt: '1700000001000000000',
  labels: LABELS,
  annotations: { 'io.kubernetes.container.restartCount': '3' },
}

const ANSWERS: Record<string, string> = {
  pods: JSON.stringify({
    items: [POD, { ...POD, id: 'b2', metadata: { ...POD.metadata, name: 'web-10' } }],
  }),
  inspectp: JSON.stringify({
    status: POD,
    info: { runtimeSpec: { process: { env: ['SECRET=hunter2'] } } },
  }),
  ps: JSON.stringify({ containers: [CONTAINER_INFO] }),
  inspect: JSON.stringify({ status: CONTAINER_INFO, info: { sandboxID: SANDBOX, pid: 117 } }),
  img: JSON.stringify({
    images: [{ id: IMAGE, repoTags: ['registry.example/web:1'], repoDigests: [DIGEST], size: '1' }],
  }),
  logs: 'starting\nserving\n',
}
