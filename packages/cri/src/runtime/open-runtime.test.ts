import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import { openRuntime, RUNTIME_SOCKETS, type RuntimeOptions } from '../index.ts'
import { BROKEN, listen } from '@core-dump-handler/testing/cri/broken-runtimes'
import { serveCri } from '@core-dump-handler/testing/cri/cri-server'
import { fakeCrictl, prints } from '@core-dump-handler/testing/cri/fake-crictl'
import { test } from '@core-dump-handler/testing/scratch'

const ID = 'a'.repeat(64)
const KNOWS = {
  containers: [{ id: ID, sandboxId: 's', name: 'main' }],
  sandboxes: [{ id: 's', name: 'web', namespace: 'shop', uid: 'u' }],
  images: [],
}
const IDLE = { containers: [], sandboxes: [], images: [] }

function place(root: string, socket: string): string {
  const path = join(root, socket)
  mkdirSync(dirname(path), { recursive: true })
  return path
}

test.for(RUNTIME_SOCKETS)('finds the runtime at %s [B9]', async (socket, { dir }) => {
  const path = place(dir, socket)
  const server = await serveCri(path, KNOWS)
  const runtime = await openRuntime({ root: dir, client: 'grpc' })
  expect((await runtime.containerStatus(ID)).status['id']).toBe(ID)
  expect(runtime).toMatchObject({ client: 'grpc', endpoint: `unix://${path}` })
  runtime.close()
  server.close()
})

test('asks the next runtime until one answers, then only that one', async ({ dir }) => {
  const path = (name: string): string => place(dir, name)
  writeFileSync(path('/run/crio/crio.sock'), 'not a socket')
  execFileSync('mkfifo', [path('/run/cri-dockerd.sock')])
  const another = await listen(BROKEN['does not serve CRI v1'](), path('/run/k0s/containerd.sock'))
  const idle = await serveCri(path('/run/containerd/containerd.sock'), IDLE)
  const dead = await listen(
    createServer((one) => one.destroy()),
    path('/run/dockershim.sock'),
  )
  const k3s = await serveCri(path('/run/k3s/containerd/containerd.sock'), KNOWS)
  const runtime = await openRuntime({ root: dir, crictlPath: join(dir, 'none') })

  // the empty list of one runtime does not end the search
  expect((await runtime.listPodSandboxes({ name: 'web' }))['items']).toHaveLength(1)
  expect((await runtime.containerStatus(ID)).status['id']).toBe(ID)
  expect(runtime.endpoint).toBe(`unix://${dir}/run/k3s/containerd/containerd.sock`)
  expect(idle.calls).toEqual(['ListPodSandbox'])
  expect(k3s.calls).toEqual(['ListPodSandbox', 'ContainerStatus'])
  runtime.close()
  for (const server of [idle, k3s]) server.close()
  await Promise.all([another.close(), dead.close()])
})

test('C4b: reports CRI_UNAVAILABLE where one runtime does not know the id and another is dead', async ({
  dir,
}) => {
  const dead = await listen(
    createServer((one) => one.destroy()),
    place(dir, '/run/crio/crio.sock'),
  )
  const idle = await serveCri(place(dir, '/run/containerd/containerd.sock'), IDLE)
  const runtime = await openRuntime({ root: dir, crictlPath: join(dir, 'none') })
  await expect(runtime.containerStatus(ID)).rejects.toMatchObject({
    code: 'CRI_UNAVAILABLE',
    message: expect.stringMatching(/containerd\.sock.* · .*crio\.sock/),
  })
  expect(await runtime.listPodSandboxes({ name: 'web' })).toEqual({ items: [] })
  runtime.close()
  idle.close()
  await dead.close()
})

test('reports CRI_NOT_FOUND where a runtime does not know the id and the other socket is gone', async ({
  dir,
}) => {
  const gone = await serveCri(place(dir, '/run/crio/crio.sock'), IDLE)
  const idle = await serveCri(place(dir, '/run/containerd/containerd.sock'), IDLE)
  const runtime = await openRuntime({ root: dir, crictlPath: join(dir, 'none') })
  gone.close()
  rmSync(place(dir, '/run/crio/crio.sock'), { force: true })
  await expect(runtime.containerStatus(ID)).rejects.toMatchObject({ code: 'CRI_NOT_FOUND' })
  runtime.close()
  idle.close()
})

test('C4b: a runtime that has answered and is gone may know the id', async ({ dir }) => {
  const restarting = await serveCri(place(dir, '/run/containerd/containerd.sock'), IDLE)
  const idle = await serveCri(place(dir, '/run/crio/crio.sock'), IDLE)
  const runtime = await openRuntime({ root: dir, crictlPath: join(dir, 'none') })
  await expect(runtime.containerStatus(ID)).rejects.toMatchObject({ code: 'CRI_NOT_FOUND' })
  restarting.close()
  rmSync(place(dir, '/run/containerd/containerd.sock'), { force: true })
  await expect(runtime.containerStatus(ID)).rejects.toMatchObject({ code: 'CRI_UNAVAILABLE' })
  runtime.close()
  idle.close()
})

test('asks a runtime with two socket paths once', async ({ dir }) => {
  const socket = place(dir, '/run/crio/crio.sock')
  const server = await serveCri(socket, IDLE)
  mkdirSync(join(dir, 'var'))
  symlinkSync('../run', join(dir, 'var/run'))
  const runtime = await openRuntime({ root: dir, crictlPath: join(dir, 'none') })
  expect(runtime.endpoint).toBe(`unix://${socket}`)
  server.close()
})

test('runs crictl where no socket answers', async ({ dir }) => {
  const dead = await listen(
    createServer((one) => one.destroy()),
    place(dir, '/run/crio/crio.sock'),
  )
  const { path } = fakeCrictl(dir, { inspect: prints({ status: { id: ID } }) })
  const runtime = await openRuntime({ root: dir, crictlEnv: { PATH: `${dir}:/bin` } })
  expect((await runtime.containerStatus(ID)).status).toEqual({ id: ID })
  expect(runtime).toMatchObject({ client: 'crictl', endpoint: 'crictl' })
  expect(path).toBe(join(dir, 'crictl'))
  runtime.close()
  await dead.close()
})

const DOCKER: RuntimeOptions = JSON.parse('{ "client": "docker" }')

test.for([
  [DOCKER, '`client` to be `auto`, `grpc` or `crictl`, got `docker`'],
  [{ endpoint: 'tcp://1.2.3.4' }, '`endpoint` to be a unix socket'],
  [{ endpoint: 'run/x.sock' }, '`endpoint`'],
  [{ callTimeoutMs: 0 }, '`callTimeoutMs` to be a number above 0, got `0`'],
  [{ callTimeoutMs: Number.NaN }, '`callTimeoutMs`'],
  [{ maxAnswerBytes: -1 }, '`maxAnswerBytes`'],
] as const satisfies [RuntimeOptions, string][])(
  'rejects the options %j',
  async ([options, message]) => {
    await expect(openRuntime(options)).rejects.toMatchObject({
      name: 'CriError',
      code: 'INVALID_OPTION',
      message: expect.stringContaining(message),
    })
  },
)

test('rejects where there is neither a socket nor crictl', async ({ dir }) => {
  const crictlEnv = { PATH: dir }
  await expect(openRuntime({ root: dir, crictlEnv })).rejects.toMatchObject({
    code: 'CRI_UNAVAILABLE',
  })
  await expect(
    openRuntime({ root: dir, signal: AbortSignal.abort(), endpoint: '/x' }),
  ).rejects.toMatchObject({ code: 'CRI_ABORTED' })
})
