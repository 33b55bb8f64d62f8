import { writeRecord } from '@core-dump-handler/bundle'
import { otlpReceiver, type OtlpReceiver } from '@core-dump-handler/testing/agent/otlp-receiver'
import { test, type ScratchNode } from '@core-dump-handler/testing/agent/scratch-node'
import { describe, expect, onTestFinished } from 'vitest'

const ID = '0123456789abcdef01234567'
const FRAMES = ['#0   pay+0x4  shop+0x1139', '#1   main+0x20  shop+0x1180']
const REPORT = [
  'shop crashed: SIGSEGV (SEGV_MAPERR) at address 0x8',
  'program     /usr/bin/shop  build-id aa',
  '',
  'Thread 7, which crashed:',
  ...FRAMES,
  '',
  'Registers:',
  '   rip 0x1139             rax 0x5ec2e7',
].join('\n')
// what an agent loads of the SDK, on its stderr
const WATCH_LOADS = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module'
  registerHooks({ load(url, context, next) {
    if (/sdk-logs|otlp/.test(url)) process.stderr.write('LOADED ' + url + '\\n')
    return next(url, context)
  } })`)}`

async function receive(): Promise<OtlpReceiver> {
  const receiver = await otlpReceiver()
  onTestFinished(() => receiver.close())
  return receiver
}

/** Leaves a bundle as of a crash in a pod. */
async function crash(
  node: ScratchNode,
  name: string,
  status: 'verified' | 'unverified' = 'verified',
): Promise<void> {
  await writeRecord(node.coreDir, {
    name,
    reason: 'a test',
    reasonCode: 'CORE_REPEATED',
    dumpInfo: '{}',
    entries: { '-report.txt': REPORT },
    manifest: {
      composer: '0.1.0',
      node: { hostname: 'host-1', kernel: '6.1.0' },
      crash: {
        time: '2026-11-30T12:00:00.000Z',
        signalName: 'SIGSEGV',
        exe: '/usr/bin/shop',
        hostPid: 77,
      },
      identity: {
        status,
        namespace: 'web',
        pod: 'shop-1',
        podUid: 'uid-1',
        container: 'main',
        containerId: 'c1',
        image: 'registry.example/shop:1',
        imageRef: 'registry.example/shop@sha256:aa',
      },
      fingerprint: { id: ID, family: 'f'.repeat(24) },
      topFrame: 'pay (shop)',
      timings: { heldMs: 1, lookupMs: 0, totalMs: 1 },
      problems: [],
    },
  })
}

const stored = (node: ScratchNode, names: readonly string[]) =>
  expect
    .poll(() => node.list(node.destination), { timeout: 20_000 })
    .toEqual(expect.arrayContaining(names.map((name) => `${name}.zip`)))

describe('CrashTelemetry', () => {
  test('sends a log record for each stored bundle, with its owner, cause and object', async ({
    node,
  }) => {
    const receiver = await receive()
    await node.daemon({
      OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.endpoint}/`,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=canary-token',
      NODE_NAME: 'node-1',
    })
    await crash(node, 'a')
    await expect.poll(() => receiver.logs.length, { timeout: 20_000 }).toBe(1)
    expect(receiver.logs[0]).toEqual({
      resource: {
        'service.name': 'main',
        'service.namespace': 'web',
        'host.name': 'host-1',
        'k8s.node.name': 'node-1',
        'k8s.namespace.name': 'web',
        'k8s.pod.name': 'shop-1',
        'k8s.pod.uid': 'uid-1',
        'k8s.container.name': 'main',
        'container.id': 'c1',
        'container.image.name': 'registry.example/shop:1',
        'container.image.id': 'registry.example/shop@sha256:aa',
      },
      attributes: {
        'exception.type': 'SIGSEGV',
        'exception.message': 'shop crashed: SIGSEGV (SEGV_MAPERR) at address 0x8',
        'exception.stacktrace': FRAMES.join('\n'),
        'process.pid': 77,
        'process.executable.path': '/usr/bin/shop',
        'core_dump.uuid': expect.any(String),
        'core_dump.object.key': 'a.zip',
        'core_dump.object.url': `file://${node.destination}/a.zip`,
        'core_dump.bytes': 0,
        'core_dump.complete': false,
        'core_dump.reason': 'CORE_REPEATED',
        'core_dump.top_frame': 'pay (shop)',
        'core_dump.fingerprint.id': ID,
        'core_dump.fingerprint.family': 'f'.repeat(24),
        'core_dump.identity': 'verified',
      },
      timeMs: Date.parse('2026-11-30T12:00:00.000Z'),
      severityText: 'FATAL',
      body: '/usr/bin/shop crashed by SIGSEGV in pay (shop)',
    })
    const [request] = receiver.requests
    expect(request?.headers['authorization']).toBe('canary-token')
    // registers are contents of memory
    expect(request?.body).not.toContain('5ec2e7')

    await crash(node, 'b', 'unverified')
    await expect.poll(() => receiver.logs.length, { timeout: 20_000 }).toBe(2)
    expect(receiver.logs[1]?.resource).toEqual({
      'service.name': 'shop',
      'host.name': 'host-1',
      'k8s.node.name': 'node-1',
    })
  })

  test('keeps no upload waiting while the receiver fails, and logs that once', async ({ node }) => {
    const receiver = await receive()
    receiver.status = 500
    const agent = await node.daemon({
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
      OTEL_EXPORTER_OTLP_TIMEOUT: '1000',
    })
    const failures = (): number => agent.output().match(/cannot send a crash by OTLP/g)?.length ?? 0
    for (const name of ['a', 'b', 'c']) await crash(node, name)
    await stored(node, ['a', 'b', 'c'])
    await expect.poll(() => receiver.requests.length, { timeout: 20_000 }).toBe(3)
    // it takes the connection and does not answer
    receiver.status = 0
    for (const name of ['d', 'e']) await crash(node, name)
    await stored(node, ['d', 'e'])
    await expect.poll(() => receiver.requests.length, { timeout: 20_000 }).toBe(5)
    expect(failures()).toBe(1)

    receiver.status = 200
    await crash(node, 'f')
    await agent.line(/crashes are sent by OTLP again/)
    expect(receiver.logs.at(-1)?.attributes['core_dump.object.key']).toBe('f.zip')
    receiver.close()
    await crash(node, 'g')
    await stored(node, ['g'])
    await expect.poll(failures, { timeout: 20_000 }).toBe(2)
    expect(await agent.kill('SIGTERM')).toBe(0)
  })

  test('loads the exporter only where an endpoint is set', async ({ node }) => {
    const receiver = await receive()
    const NODE_OPTIONS = `--import=${WATCH_LOADS}`
    const without = await node.daemon({ NODE_OPTIONS })
    await crash(node, 'a')
    await stored(node, ['a'])
    await without.kill('SIGTERM')
    expect(without.output()).not.toContain('LOADED')

    const env = { NODE_OPTIONS, OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `${receiver.endpoint}/v1/logs` }
    const agent = await node.daemon(env)
    await crash(node, 'b')
    await expect.poll(() => receiver.logs.length, { timeout: 20_000 }).toBe(1)
    expect(agent.output()).toContain('LOADED')
  })

  test('reports an endpoint that is no URL, and goes on without it', async ({ node }) => {
    const agent = await node.daemon({ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317' })
    expect(agent.output()).toMatch(/OTEL_EXPORTER_OTLP_ENDPOINT.*expected an HTTP URL/)
    await crash(node, 'a')
    await stored(node, ['a'])
  })
})
