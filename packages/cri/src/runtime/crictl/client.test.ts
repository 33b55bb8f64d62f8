import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { openRuntime, type Runtime, type RuntimeOptions } from '../../index.ts'
import { fakeCrictl, prints } from '../../testing/fake-crictl.ts'
import { test } from '../../testing/scratch.ts'

const ENV = { PATH: '/usr/bin:/bin' }

async function open(crictlPath: string, options: RuntimeOptions = {}): Promise<Runtime> {
  return openRuntime({ client: 'crictl', crictlPath, crictlEnv: ENV, ...options })
}

test('runs the commands that the ancestor ran', async ({ dir }) => {
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

  const calls = await crictl.calls()
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

test('what crictl says on stderr changes nothing while it succeeds [B9]', async ({ dir }) => {
  const crictl = fakeCrictl(dir, {
    inspectp: `echo 'WARN[0000] runtime connect using default endpoints' >&2; ${prints({ status: { id: 's' } })}`,
  })
  const runtime = await open(crictl.path)
  expect(await runtime.podSandboxStatus('s')).toEqual({ status: { id: 's' }, info: {} })
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

test('closing the runtime kills a crictl under way', async ({ dir }) => {
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

test('crictl gets neither our descriptor 0 nor our environment', async ({ dir }) => {
  const crictl = fakeCrictl(dir, {
    inspect: `printf '{"status":{"variables":"%s","cwd":"%s","stdin":"%s"}}' "$(env | grep -v -e ^PWD -e ^_ -e ^SHLVL | tr '\\n' ' ')" "$PWD" "$(readlink /proc/$$/fd/0)"`,
  })
  const runtime = await open(crictl.path)
  const { status } = await runtime.containerStatus('c')
  expect(status).toEqual({ variables: 'PATH=/usr/bin:/bin ', cwd: '/', stdin: '/dev/null' })
  runtime.close()
})

test('a crictl that is not there, and a name that cannot be an argument', async ({ dir }) => {
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
