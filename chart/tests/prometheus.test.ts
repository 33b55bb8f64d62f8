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
const ALERT = v.looseObject({ state: v.string(), labels: v.looseObject({ alertname: v.string() }) })
const ALERTS = v.looseObject({ data: v.object({ alerts: v.array(ALERT) }) })

/** The alert rules as the chart gives them to the Prometheus operator. */
async function renderedRules(): Promise<Rules> {
  const all = await objects({ set: [...LEAST, 'alerts.enabled=true'] })
  return v.parse(RULES, all.find(({ kind }) => kind === 'PrometheusRule')?.['spec'])
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

test('a real Prometheus scrapes a real agent and fires for the bundle that waits', async ({
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
  const scrape = { job_name: 'agent', static_configs: [{ targets: [`127.0.0.1:${agentPort}`] }] }
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
      .poll(async () => firing(port), { timeout: 60_000, interval: 500 })
      .toEqual(expect.arrayContaining(['CoreDumpBundleWaiting', 'CoreDumpDestinationUnreachable']))
    expect(await firing(port)).not.toContain('CoreDumpNodeNotPrepared')
  } finally {
    const ended = once(prometheus, 'close')
    prometheus.kill('SIGKILL')
    await ended
  }
})

async function firing(port: number): Promise<string[]> {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/alerts`).catch(() => undefined)
  if (!response?.ok) return []
  const { data } = v.parse(ALERTS, await response.json())
  return data.alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels.alertname)
}
