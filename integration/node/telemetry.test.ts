import { runPod } from '@core-dump-handler/testing/containerd/pod'
import { otlpReceiver } from '@core-dump-handler/testing/agent/otlp-receiver'
import { storeAndRuntime, TestNode } from '@core-dump-handler/testing/agent/test-node'
import { until } from '@core-dump-handler/testing/until'
import { expect, onTestFinished, test } from 'vitest'
import { realParts } from '../real-parts.ts'

const CANARY = 'ENVIRONMENT_CANARY_77'

realParts('a crash in a pod, as an OpenTelemetry log record', () => {
  const parts = storeAndRuntime()

  test('has its pod, container and node, its stack and its object, and no memory', async () => {
    const receiver = await otlpReceiver()
    onTestFinished(() => receiver.close())
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, NODE_NAME: 'node-1' }
    const node = new TestNode({ ...parts, env })
    onTestFinished(() => node.dispose())
    const { bundle, log, pod } = await node.prepared(async () => {
      const containers = [{ name: 'shop', args: ['-l', '0'], env: { SECRET: CANARY } }]
      const started = await runPod(parts.containerd, { name: 'shop-1', containers })
      onTestFinished(() => started.remove())
      const isOurs = (uid: unknown): boolean => uid === started.uid
      return {
        pod: started,
        bundle: await node.bundles.one(({ manifest }) => isOurs(manifest.identity.podUid)),
        log: await until('its log record is received', () =>
          receiver.logs.find(({ resource }) => isOurs(resource['k8s.pod.uid'])),
        ),
      }
    })
    const { manifest } = bundle
    expect(log.resource).toMatchObject({
      'service.name': 'shop',
      'k8s.namespace.name': 'default',
      'k8s.pod.name': 'shop-1',
      'k8s.container.name': 'shop',
      'k8s.node.name': 'node-1',
      'host.name': manifest.node.hostname,
      'container.id': pod.containerIds[0],
    })
    expect(log.attributes).toMatchObject({
      'exception.type': 'SIGSEGV',
      'exception.message': expect.stringMatching(
        / crashed: SIGSEGV \(SEGV_MAPERR\) at address 0x8/,
      ),
      'exception.stacktrace': expect.stringMatching(/^#0 +crash_here\+.*\n#1 +main\+/),
      'core_dump.fingerprint.id': manifest.fingerprint?.id,
      'core_dump.complete': true,
    })
    const key = String(log.attributes['core_dump.object.key'])
    expect(await parts.store.keys()).toContain(key)
    expect(receiver.requests.map(({ body }) => body).join('')).not.toContain(CANARY)
  })
})
