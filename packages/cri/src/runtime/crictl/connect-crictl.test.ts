import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { openRuntime, type Runtime, type RuntimeOptions } from '../../index.ts'
import { fakeCrictl, prints } from '@core-dump-handler/testing/cri/fake-crictl'
import { test } from '@core-dump-handler/testing/scratch'

const ENV = { PATH: '/usr/bin:/bin' }

async function open(crictlPath: string, options: RuntimeOptions = {}): Promise<Runtime> {
  return openRuntime({ client: 'crictl', crictlPath, crictlEnv: ENV, ...options })
}

test('runs the commands of IBM core-dump-handler 9', async ({ dir }) => {
  const crictl = fakeCrictl(dir, {
    pods: prints({
      items: [
        { id: 's10', metadata: { name: 'web-10' } },
        { id: 's1', metadata: { name: 'web-1' } },
      ],
    }),
    inspectp: prints({ status: { id: 's1' }, info: { pid: 1 } }),
    ps: prints({ containers: [{ id: 'c1' }] }),
    images: prints({ images: [{ id: 'i0' }, { id: 'i1', repoDigests: ['web@sha256:a'] }] }),
    inspect: prints({
      status: { id: 'c1' },
      info: { runtimeSpec: { process: { env: ['A=secret'] } } },
    }),
    logs: 'echo to stdout; echo to stderr >&2',
  })
  const config = join(dir, 'crictl.yaml')
  const runtime = await open(crictl.path, { crictlConfig: config, crictlImageCommand: 'images' })

  // --name is an unanchored regular expression: what else it found is not ours
  expect(await runtime.listPodSandboxes({ name: 'web-1' })).toEqual({
    items: [{ id: 's1', metadata: { name: 'web-1' } }],
  })
  expect(await runtime.podSandboxStatus('s1')).toEqual({ status: { id: 's1' }, info: { pid: 1 } })
  expect(await runtime.listContainers('s1')).toEqual({ containers: [{ id: 'c1' }] })
  expect(await runtime.imageStatus('web@sha256:a')).toMatchObject({ id: 'i1' })
  await expect(runtime.imageStatus('i2')).rejects.toMatchObject({ code: 'CRI_NOT_FOUND' })
  expect((await runtime.containerStatus('c1')).info).toEqual({
    runtimeSpec: { process: { env: ['A=<removed>'] } },
  })
  const log = String(await runtime.containerLog('c1', 500))
  expect(log.split('\n').toSorted()).toEqual(['', 'to stderr', 'to stdout'])
  runtime.close()

  const calls = crictl.calls()
  expect(calls).toEqual(
    [
      'pods --name web-1 -o json',
      'inspectp s1',
      'ps -o json -p s1',
      'images -o json',
      'inspect c1',
      'logs --tail=500 c1',
    ].map((command) => `-c ${config} ${command}`),
  )
})

test('ignores warnings on stderr of a crictl that succeeds', async ({ dir }) => {
  const crictl = fakeCrictl(dir, {
    inspectp: `echo 'WARN[0000] runtime connect using default endpoints' >&2; ${prints({ status: { id: 's' } })}`,
  })
  const runtime = await open(crictl.path)
  expect(await runtime.podSandboxStatus('s')).toEqual({ status: { id: 's' }, info: {} })
  runtime.close()
})

test('N2: warnings of crictl are no lines of a log, lines of the container are [B9]', async ({
  dir,
}) => {
  const warnings = [
    'time="2026-11-30T10:30:42Z" level=warning msg="Config \\"/etc/crictl.yaml\\" does not exist, trying next: \\"/bin/crictl.yaml\\""',
    'WARN[0000] runtime connect using default endpoints: [unix:///run/containerd/containerd.sock]',
    'time="2026-11-30T10:30:42Z" level=error msg="validate service connection: validate CRI v1 runtime API"',
    'E1130 10:30:42.215058   21964 remote_runtime.go:657] "ContainerStatus from runtime service failed"',
  ]
  const lines = [
    'time="2026-11-30T10:30:42Z" level=error msg="of the container"',
    'WARN[0000] of the container',
    'E1130 10:30:42.215058 1 main.go:1] of the container',
    String(warnings[0]),
  ]
  const file = join(dir, 'stderr')
  writeFileSync(file, [...warnings, ...lines, ''].join('\n'))
  const crictl = fakeCrictl(dir, { logs: `cat '${file}' >&2` })
  const runtime = await open(crictl.path)
  expect(String(await runtime.containerLog('c', 10))).toBe(`${lines.join('\n')}\n`)
  runtime.close()
})

test.for([
  [
    'exit 1 and NotFound',
    'echo "rpc error: code = NotFound desc = x" >&2; exit 1',
    'CRI_NOT_FOUND',
  ],
  [
    'no socket',
    'echo "dial unix /x: connect: no such file or directory" >&2; exit 1',
    'CRI_UNAVAILABLE',
  ],
  ['its own time limit', 'echo "code = DeadlineExceeded" >&2; exit 1', 'CRI_TIMEOUT'],
  ['an old runtime', 'echo "code = Unimplemented" >&2; exit 1', 'CRI_UNIMPLEMENTED'],
  ['any other failure', 'printf "bad\\nthing \\033[31m" >&2; exit 3', 'CRI_FAILED'],
  ['a script that does not find it', 'echo "crictl: not found" >&2; exit 127', 'CRI_UNAVAILABLE'],
  [
    'a wrapper that does not find its container tool',
    'echo "sh: 1: /opt/container/crictl: not found" >&2; exit 1',
    'CRI_FAILED',
  ],
  [
    'an old CRI-O that does not know it',
    "echo 'FATA[0000] getting the status: rpc error: code = Unknown desc = container with ID x not found' >&2; exit 1",
    'CRI_NOT_FOUND',
  ],
  ['words about no container', 'echo "file not found" >&2; exit 1', 'CRI_FAILED'],
  ['death by a signal', 'kill -9 $$', 'CRI_UNAVAILABLE'],
  ['text that is no JSON', 'echo hello', 'CRI_MALFORMED'],
  ['JSON that is no object', 'echo "[1]"', 'CRI_MALFORMED'],
  ['nothing', 'true', 'CRI_MALFORMED'],
  ['output without end', 'yes', 'CRI_TOO_LARGE'],
] as const)('a crictl that answers with %s is %s', async ([, code, expected], { dir }) => {
  const crictl = fakeCrictl(dir, { inspect: code })
  const runtime = await open(crictl.path, { maxAnswerBytes: 100_000 })
  const error: unknown = await runtime.containerStatus('c').catch((reason: unknown) => reason)
  expect(error).toMatchObject({ name: 'CriError', code: expected, endpoint: crictl.path })
  expect(String(error)).toContain('inspect c')
  expect(String(error)).not.toMatch(/\p{Cc}/u)
  runtime.close()
})

test('a crictl that hangs is killed at its limit, with all its children', async ({ dir }) => {
  const pids = join(dir, 'pids')
  const crictl = fakeCrictl(dir, {
    inspect: `echo $$ > ${pids}; sleep 1000 & echo $! >> ${pids}; trap '' TERM; wait`,
  })
  const runtime = await open(crictl.path, { callTimeoutMs: 400 })
  await expect(runtime.containerStatus('c')).rejects.toMatchObject({ code: 'CRI_TIMEOUT' })
  await expectNobody(pids)
  runtime.close()
})

test('C7: runs at most 4 of crictl at a time, whatever is asked of it', async ({ dir }) => {
  const log = join(dir, 'log')
  const crictl = fakeCrictl(dir, { logs: `echo + >> ${log}; sleep 0.2; echo - >> ${log}` })
  const runtime = await open(crictl.path)
  await Promise.all(Array.from({ length: 12 }, (_, id) => runtime.containerLog(String(id), 5)))
  const changes = readFileSync(log, 'latin1').trimEnd().split('\n')
  let [running, most] = [0, 0]
  for (const change of changes) most = Math.max(most, (running += change === '+' ? 1 : -1))
  expect(changes).toHaveLength(24)
  expect(most).toBe(4)
  runtime.close()
})

test('close kills a running crictl', async ({ dir }) => {
  const pids = join(dir, 'pids')
  const crictl = fakeCrictl(dir, {
    inspect: `echo $$ > ${pids}; sleep 1000 & echo $! >> ${pids}; wait`,
  })
  const runtime = await open(crictl.path)
  const waiting = runtime.containerStatus('c')
  setTimeout(() => runtime.close(), 300)
  await expect(waiting).rejects.toMatchObject({ code: 'CRI_ABORTED' })
  await expect(runtime.containerStatus('c')).rejects.toMatchObject({ code: 'CRI_ABORTED' })
  await expectNobody(pids)
})

test('crictl inherits neither fd 0 nor the environment', async ({ dir }) => {
  const crictl = fakeCrictl(dir, {
    inspect: `printf '{"status":{"variables":"%s","cwd":"%s","stdin":"%s"}}' "$(env | grep -v -e ^PWD -e ^_ -e ^SHLVL | tr '\\n' ' ')" "$PWD" "$(readlink /proc/$$/fd/0)"`,
  })
  const runtime = await open(crictl.path)
  const { status } = await runtime.containerStatus('c')
  expect(status).toEqual({ variables: 'PATH=/usr/bin:/bin ', cwd: '/', stdin: '/dev/null' })
  runtime.close()
})

test('a crictl that does not exist and an argument with a NUL are errors', async ({ dir }) => {
  const absent = await open('crictl-that-is-not-there')
  await expect(absent.containerStatus('c')).rejects.toMatchObject({
    code: 'CRI_UNAVAILABLE',
    message: expect.stringMatching(/ENOENT.*check its path/),
  })
  const crictl = fakeCrictl(dir, { pods: prints({ items: [] }) })
  const runtime = await open(crictl.path)
  await expect(runtime.listPodSandboxes({ name: 'a\0b' })).rejects.toMatchObject({
    name: 'CriError',
  })
})

async function expectNobody(pidFile: string): Promise<void> {
  const pids = (await readFile(pidFile, 'utf8')).split('\n').filter(Boolean)
  expect(pids).toHaveLength(2)
  // killed is not yet reaped: those whose parent is gone are init's
  await expect.poll(() => pids.filter((pid) => isAlive(pid))).toEqual([])
}

function isAlive(pid: string): boolean {
  try {
    return !execFileSync('cat', [`/proc/${pid}/stat`], { stdio: 'pipe' }).includes(') Z ')
  } catch {
    return false
  }
}
