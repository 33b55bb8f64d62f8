import { join } from 'node:path'
import { expect } from 'vitest'
import { openRuntime } from '../../index.ts'
import { type FakeRuntime, serveCri } from '@core-dump-handler/testing/cri/cri-server'
import { test } from '@core-dump-handler/testing/scratch'

const SECRET = 's3cret-canary'
const applied = {
  spec: { containers: [{ name: 'main', env: [{ name: 'TOKEN', value: SECRET }] }] },
}

const CLUSTER: FakeRuntime = {
  containers: [
    {
      id: 'c1',
      sandboxId: 's1',
      name: 'main',
      attempt: 3,
      image: 'test.local/web:1',
      imageRef: 'test.local/web@sha256:aa',
      logPath: '/var/log/pods/x/main/3.log',
      info: {
        config: { envs: [{ key: 'TOKEN', value: SECRET }], command: ['/web'] },
        runtimeSpec: {
          process: { env: [`TOKEN=${SECRET}`, `A=b=${SECRET}`], args: ['/web'] },
          hooks: { prestart: [{ path: '/x', env: [`H=${SECRET}`] }] },
          annotations: { 'io.kubernetes.cri-o.Env': JSON.stringify({ env: { T: SECRET } }) },
        },
        imageSpec: { config: { Env: [`PATH=${SECRET}`] } },
      },
    },
    { id: 'c2', sandboxId: 's1', name: 'done', state: 2 },
  ],
  sandboxes: [
    {
      id: 's1',
      name: 'web-1',
      namespace: 'shop',
      uid: 'u-1',
      annotations: {
        'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(applied),
        note: '{ "kept": "as it is" }',
        // as an annotation is that was cut at its limit
        cut: JSON.stringify(applied).slice(0, -3),
        deep: `${'['.repeat(50_000)}{"env":["X=${SECRET}"]}${']'.repeat(50_000)}`,
      },
      info: { runtimeSpec: { process: { env: [`TOKEN=${SECRET}`] } } },
    },
    { id: 's0', name: 'web-10', namespace: 'shop', uid: 'u-0', createdAt: '9' },
  ],
  images: [{ id: 'sha256:i', repoTags: ['test.local/web:1'], repoDigests: [], size: 12 }],
}

test('answers of an independent server have the shape of crictl’s JSON', async ({ dir }) => {
  const server = await serveCri(join(dir, 's'), CLUSTER)
  const runtime = await openRuntime({ endpoint: `unix://${dir}/s`, client: 'grpc' })
  try {
    const { status, info } = await runtime.containerStatus('c1')
    expect(status).toMatchObject({
      id: 'c1',
      metadata: { name: 'main', attempt: 3 },
      state: 'CONTAINER_RUNNING',
      createdAt: '2026-11-22T21:41:41.033706848Z',
      startedAt: '2026-11-22T21:41:41.1Z',
      image: { image: 'test.local/web:1' },
      logPath: '/var/log/pods/x/main/3.log',
    })
    expect(info).toMatchObject({ sandboxID: 's1', pid: 7 })

    const sandbox = await runtime.podSandboxStatus('s1')
    expect(sandbox.status).toMatchObject({
      metadata: { name: 'web-1', uid: 'u-1', namespace: 'shop', attempt: 0 },
      state: 'SANDBOX_READY',
      network: { ip: '10.0.0.1', additionalIps: [{ ip: 'fd00::1' }] },
      labels: { app: 'web' },
    })
    expect(await runtime.listContainers('s1')).toMatchObject({
      containers: [{ id: 'c1', podSandboxId: 's1', createdAt: '1795383701033706848' }],
    })
    expect(await runtime.listPodSandboxes({ name: 'web-1' })).toMatchObject({
      items: [{ id: 's1', createdAt: '1795383700000000001' }],
    })
    expect((await runtime.listPodSandboxes({}))['items']).toHaveLength(2)
    expect(await runtime.imageStatus('test.local/web:1')).toMatchObject({
      id: 'sha256:i',
      repoDigests: [],
      size: '12',
    })
    await expect(runtime.imageStatus('none')).rejects.toMatchObject({ code: 'CRI_NOT_FOUND' })
    await expect(runtime.containerStatus('none')).rejects.toMatchObject({ code: 'CRI_NOT_FOUND' })
    expect(await runtime.containerLog('c1', 5)).toBeUndefined()
  } finally {
    runtime.close()
    server.close()
  }
})

test('answers hold the names of environment variables and none of their values', async ({
  dir,
}) => {
  const server = await serveCri(join(dir, 's'), CLUSTER)
  const runtime = await openRuntime({ endpoint: `${dir}/s`, client: 'grpc' })
  try {
    const container = await runtime.containerStatus('c1')
    const sandbox = await runtime.podSandboxStatus('s1')
    const pods = await runtime.listPodSandboxes({})
    const text = JSON.stringify([container, sandbox, pods])
    expect(text).not.toContain(SECRET)
    expect(container.info).toMatchObject({
      config: { envs: [{ key: 'TOKEN', value: '<removed>' }], command: ['/web'] },
      runtimeSpec: { process: { env: ['TOKEN=<removed>', 'A=<removed>'], args: ['/web'] } },
    })
    expect(sandbox.status['annotations']).toMatchObject({
      note: '{ "kept": "as it is" }',
      deep: '<removed>',
      'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(applied).replace(
        SECRET,
        '<removed>',
      ),
    })
  } finally {
    runtime.close()
    server.close()
  }
})

test('N4: lists containers newest first, whatever the order of the runtime', async ({ dir }) => {
  const containers = [
    { id: 'middle', sandboxId: 's', name: 'a', createdAt: '1795383701033706848' },
    { id: 'oldest', sandboxId: 's', name: 'b', createdAt: '1795383701033706847' },
    { id: 'newest', sandboxId: 's', name: 'c', createdAt: '1795383701033706849' },
  ]
  const socket = join(dir, 's')
  const server = await serveCri(socket, { containers, sandboxes: [], images: [] })
  const runtime = await openRuntime({ endpoint: socket, client: 'grpc' })
  expect(await runtime.listContainers('s')).toMatchObject({
    containers: [{ id: 'newest' }, { id: 'middle' }, { id: 'oldest' }],
  })
  runtime.close()
  server.close()
})
