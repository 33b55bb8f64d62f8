import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as v from 'valibot'
import { expect } from 'vitest'
import { stringify } from 'yaml'
import { freePort } from '@core-dump-handler/testing/agent/free-port'
import { test } from '@core-dump-handler/testing/agent/scratch-node'
import { findTool } from '@core-dump-handler/testing/tools/find-tool'
import { LEAST } from '../scripts/helm.ts'
import { CHART } from '../scripts/presets.ts'
import { objects } from './objects.ts'

const RULE = v.looseObject({ alert: v.string(), for: v.optional(v.string()) })
const RULES = v.looseObject({ groups: v.array(v.looseObject({ rules: v.array(RULE) })) })
type Rules = v.InferOutput<typeof RULES>
const ALERT = v.looseObject({
  state: v.string(),
  labels: v.looseObject({ alertname: v.string(), node: v.optional(v.string()) }),
  annotations: v.looseObject({ summary: v.string() }),
})
type Alert = v.InferOutput<typeof ALERT>
const RELABELING = v.strictObject({ sourceLabels: v.array(v.string()), targetLabel: v.string() })
const POD_MONITOR = v.looseObject({
  podMetricsEndpoints: v.array(v.looseObject({ relabelings: v.array(RELABELING) })),
})
const ALERTS = v.looseObject({ data: v.object({ alerts: v.array(ALERT) }) })

/** The alert rules as the chart gives them to the Prometheus operator. */
async function renderedRules(): Promise<Rules> {
  const all = await objects({ set: [...LEAST, 'alerts.enabled=true'] })
  return v.parse(RULES, all.find(({ kind }) => kind === 'PrometheusRule')?.['spec'])
}

/** The relabelings of the PodMonitor, as the Prometheus operator writes them into a scrape job. */
async function relabelConfigs(): Promise<object[]> {
  const all = await objects({ set: [...LEAST, 'metrics.podMonitor.enabled=true'] })
  const spec = all.find(({ kind }) => kind === 'PodMonitor')?.['spec']
  return v
    .parse(POD_MONITOR, spec)
    .podMetricsEndpoints.flatMap(({ relabelings }) => relabelings)
    .map(({ sourceLabels, targetLabel }) => ({
      source_labels: sourceLabels,
      target_label: targetLabel,
    }))
}

test('promtool finds each alert to fire when it should, and only then', async ({ node }) => {
  await writeFile(join(node.dir, 'alerts.yaml'), stringify(await renderedRules()))
  const cases = join(CHART, 'tests/values/alerts.promtool.yaml')
  await copyFile(cases, join(node.dir, 'cases.yaml'))
  const promtool = promisify(execFile).bind(undefined, await findTool('promtool'))

  await promtool(['check', 'rules', 'alerts.yaml'], { cwd: node.dir })
  const { stdout } = await promtool(['test', 'rules', 'cases.yaml'], { cwd: node.dir })
  expect(stdout).toContain('SUCCESS')
})

test('D15: a real Prometheus fires for the bundle that waits, and names the node', async ({
  node,
}) => {
  const waiting = join(node.coreDir, 'waiting.zip')
  await writeFile(waiting, 'PK')
  await utimes(waiting, 0, 0)
  const [agentPort, port] = [await freePort(), await freePort()]
  const DESTINATION = `file:${join(node.dir, 'sys/kernel/core_pattern')}` // not a directory
  await node.daemon({ HEALTH_PORT: String(agentPort), DESTINATION })

  const rules = await renderedRules()
  // without the five minutes of `for`; promtool above tests the times
  for (const { rules: each } of rules.groups) for (const rule of each) delete rule.for
  await writeFile(join(node.dir, 'alerts.yaml'), stringify(rules))
  // as the discovery of pods finds it
  const labels = { __meta_kubernetes_pod_node_name: 'node-7' }
  const scrape = {
    job_name: 'agent',
    static_configs: [{ targets: [`127.0.0.1:${agentPort}`], labels }],
    relabel_configs: await relabelConfigs(),
  }
  const configuration = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: ['alerts.yaml'],
    scrape_configs: [scrape],
  }
  await writeFile(join(node.dir, 'prometheus.yaml'), stringify(configuration))
  const prometheus = spawn(
    await findTool('prometheus'),
    [
      `--config.file=${join(node.dir, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(node.dir, 'tsdb')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  )
  try {
    await expect
      .poll(async () => namesOf(await firing(port)), { timeout: 60_000, interval: 500 })
      .toEqual(expect.arrayContaining(['CoreDumpBundleWaiting', 'CoreDumpDestinationUnreachable']))
    const alerts = await firing(port)
    expect(namesOf(alerts)).not.toContain('CoreDumpNodeNotPrepared')
    for (const { labels: found, annotations } of alerts) {
      expect(found.node, found.alertname).toBe('node-7')
      expect(annotations.summary).toContain('node-7')
    }
  } finally {
    const ended = once(prometheus, 'close')
    prometheus.kill('SIGKILL')
    await ended
  }
})

const namesOf = (alerts: readonly Alert[]): string[] => alerts.map(({ labels }) => labels.alertname)

async function firing(port: number): Promise<Alert[]> {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/alerts`).catch(() => undefined)
  if (!response?.ok) return []
  const { data } = v.parse(ALERTS, await response.json())
  return data.alerts.filter(({ state }) => state === 'firing')
}
