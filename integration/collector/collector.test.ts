import { runPod } from '@core-dump-handler/testing/containerd/pod'
import {
  startOtelCollector,
  type OtelCollector,
} from '@core-dump-handler/testing/agent/otel-collector'
import { storeAndRuntime, TestNode } from '@core-dump-handler/testing/agent/test-node'
import { until } from '@core-dump-handler/testing/until'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { realParts } from '../real-parts.ts'

const CANARY = 'ENVIRONMENT_CANARY_77'

realParts('the log record of a crash in a pod', () => {
  const parts = storeAndRuntime()
  let collector: OtelCollector

  beforeAll(async () => {
    collector = await startOtelCollector()
  }, 900_000)
  afterAll(() => collector.stop())

  test('is taken by a collector of the OpenTelemetry project', async () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, NODE_NAME: 'node-1' }
    const node = new TestNode({ ...parts, env })
    onTestFinished(() => node.dispose())
    const { manifest } = await node.prepared(async () => {
      const containers = [{ name: 'shop', args: ['-l', '0'], env: { SECRET: CANARY } }]
      const pod = await runPod(parts.containerd, { name: 'shop-2', containers })
      onTestFinished(() => pod.remove())
      await until('the collector has its record', () => collector.output().includes(pod.uid))
      return node.bundles.one((bundle) => bundle.manifest.identity.podUid === pod.uid)
    })
    const output = collector.output()
    for (const line of [
      'SeverityText: FATAL',
      'InstrumentationScope core-dump-handler',
      '-> k8s.pod.name: Str(shop-2)',
      '-> k8s.container.name: Str(shop)',
      '-> exception.type: Str(SIGSEGV)',
      `-> core_dump.fingerprint.id: Str(${manifest.fingerprint?.id})`,
      '-> core_dump.complete: Bool(true)',
    ]) {
      expect(output).toContain(line)
    }
    expect(output).toMatch(/-> exception\.stacktrace: Str\(#0 +crash_here\+/)
    expect(output).not.toContain(CANARY)
  })
})
