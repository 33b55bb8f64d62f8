import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { startLookup, openRuntime } from '../index.ts'
import { serveCri } from '@core-dump-handler/testing/cri/cri-server'
import { fakeCrictl, prints } from '@core-dump-handler/testing/cri/fake-crictl'
import { test } from '@core-dump-handler/testing/scratch'

const pod = (id: string, name: string, namespace: string, state = 'SANDBOX_READY'): object => ({
  id,
  metadata: { name, namespace, uid: `uid-${id}`, attempt: 0 },
  state,
  labels: { app: 'web' },
})

const ANSWERS = {
  pods: prints({ items: [pod('s10', 'web-10', 'a'), pod('s1', 'web-1', 'b')] }),
  inspectp: prints({ status: { id: 's1' }, info: {} }),
  ps: prints({
    containers: [
      { id: 'c1', metadata: { name: 'main' }, image: { image: 'web:1' }, imageRef: 'web@sha256:a' },
    ],
  }),
  logs: 'echo last words >&2',
  img: prints({ images: [{ id: 'i1', repoDigests: ['web@sha256:a'] }] }),
  inspect: prints({ status: { id: 'c1' }, info: { pid: 117 } }),
}

const VERSION_9_COMMANDS = [
  'pods --name web-1 -o json',
  'inspectp s1',
  'ps -o json -p s1',
  'logs --tail=500 c1',
  'img -o json',
]

describe('through crictl', () => {
  test('finds the pod of exactly that name, unverified', async ({ dir }) => {
    const crictl = fakeCrictl(dir, ANSWERS)
    const runtime = openRuntime({ client: 'crictl', crictlPath: crictl.path })
    const search = startLookup({ hostname: 'web-1' }, runtime)
    const result = await search.result

    expect(result).toMatchObject({
      identity: {
        status: 'unverified',
        reason: 'looked up by host name, which any container can set, not by process',
        pod: 'web-1',
        namespace: 'b',
        podUid: 'uid-s1',
      },
      podInfo: pod('s1', 'web-1', 'b'),
      runtimeInfo: { status: { id: 's1' } },
      psInfo: { containers: [{ id: 'c1' }] },
      containers: [{ id: 'c1', name: 'main', crashed: false, imageInfo: { id: 'i1' } }],
      warnings: [],
    })
    expect(String((await result.containers[0]?.readLog())?.bytes)).toBe('last words\n')
    await search.close()
    ;(await runtime).close()
    expect(crictl.calls().toSorted()).toEqual(VERSION_9_COMMANDS.toSorted())
  })

  test('reads includeProcessFiles of each container’s first process', async ({ dir }) => {
    const crictl = fakeCrictl(dir, ANSWERS)
    mkdirSync(join(dir, 'proc/117'), { recursive: true })
    const names = ['auxv', 'cmdline', 'environ', 'maps', 'status']
    for (const name of names) writeFileSync(join(dir, 'proc/117', name), name)
    const runtime = openRuntime({ client: 'crictl', crictlPath: crictl.path })
    const options = { includeProcessFiles: names, procRoot: join(dir, 'proc') }
    const { containers } = await startLookup({ hostname: 'web-1' }, runtime, options).result
    expect([...(containers[0]?.initFiles.keys() ?? [])]).toEqual(names)
    expect(crictl.calls()).toContain('inspect c1')
  })

  test('keeps the rest when a command fails', async ({ dir }) => {
    for (const broken of Object.keys(ANSWERS)) {
      const crictl = fakeCrictl(join(dir, broken), { ...ANSWERS, [broken]: 'exit 1' })
      const runtime = openRuntime({ client: 'crictl', crictlPath: crictl.path })
      const { identity, warnings } = await startLookup({ hostname: 'web-1' }, runtime).result
      expect(identity.status).toBe('unverified')
      expect(identity.pod).toBe(broken === 'pods' ? undefined : 'web-1')
      expect(warnings).toMatchObject(broken === 'inspect' ? [] : [{ code: 'CRI_FAILED' }])
    }
  })
})

test.for([
  ['a pod of another name only', 'web', 'has no pod with exactly the host name `web`'],
  ['no host name', '', 'neither a process nor a host name is known'],
] as const)('with %s no pod is found', async ([, hostname, reason], { dir }) => {
  const crictl = fakeCrictl(dir, ANSWERS)
  const runtime = openRuntime({ client: 'crictl', crictlPath: crictl.path })
  const { identity, podInfo } = await startLookup({ hostname }, runtime).result
  expect(identity).toEqual({ status: 'unverified', reason: expect.stringContaining(reason) })
  expect(podInfo).toBeUndefined()
})

test('by gRPC, takes the newest ready pod of an ambiguous name and reports the others', async ({
  dir,
}) => {
  const one = { name: 'web-1', uid: 'u1', createdAt: '100' }
  const sandboxes = [
    { ...one, id: 's1', namespace: 'a' },
    { ...one, id: 's2', namespace: 'b', uid: 'u2', createdAt: '200' },
    { ...one, id: 's3', namespace: 'c', uid: 'u3', createdAt: '300', state: 1 },
    { ...one, id: 's4', namespace: 'd', name: 'my-web-1' },
  ]
  const server = await serveCri(join(dir, 's'), { containers: [], sandboxes, images: [] })
  const runtime = openRuntime({ client: 'grpc', endpoint: join(dir, 's') })
  const { identity } = await startLookup({ hostname: 'web-1' }, runtime).result
  expect(identity).toMatchObject({
    status: 'unverified',
    namespace: 'b',
    reason: expect.stringContaining('3 pods have this name (c/web-1, b/web-1, a/web-1)'),
  })
  ;(await runtime).close()
  server.close()
})
