import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { startMonitoring } from '@core-dump-handler/agent/internal/monitoring/monitoring'
import { openUploader } from '@core-dump-handler/agent/internal/upload/open-uploader'
import { readSettings } from '@core-dump-handler/agent/internal/settings/read-settings'
import { CHART } from '../scripts/presets.ts'

/** Names of all metrics of the agent. */
async function metricNames(): Promise<Set<string>> {
  const env = { DESTINATION: 'file:/x', USE_INOTIFY: 'true' }
  const { settings } = readSettings(env)
  const log = pino({ level: 'silent' })
  const agent = startMonitoring({ settings, env, log, signal: AbortSignal.abort() })
  const uploader = openUploader(settings, log)
  if (uploader !== undefined) agent.watch(uploader)
  const all = await agent.metrics.registry.getMetricsAsJSON()
  return new Set(all.map(({ name }) => name))
}

const RULES = v.object({
  groups: v.array(v.looseObject({ rules: v.array(v.looseObject({ expr: v.string() })) })),
})
const SPACE = v.object({ x: v.number(), y: v.number(), w: v.number(), h: v.number() })
const DASHBOARD = v.looseObject({
  panels: v.array(v.looseObject({ id: v.number(), gridPos: SPACE })),
})

function alertExpressions(): string[] {
  const { groups } = v.parse(RULES, parse(readFileSync(join(CHART, 'files/alerts.yaml'), 'utf8')))
  return groups.flatMap(({ rules }) => rules.map(({ expr }) => expr))
}

function dashboardExpressions(): string[] {
  const text = readFileSync(join(CHART, 'files/dashboard.json'), 'utf8')
  return [...text.matchAll(/"(?:expr|query)": "((?:[^"\\]|\\.)*core_dump_(?:[^"\\]|\\.)*)"/g)].map(
    ([, expression]) => expression!,
  )
}

test.for([
  ['alert', alertExpressions()],
  ['panel of the dashboard', dashboardExpressions()],
] as const)('every %s asks for metrics that the agent has', async ([, expressions]) => {
  const known = await metricNames()
  expect(expressions.length).toBeGreaterThan(5)
  for (const expression of expressions) {
    const used = expression.match(/core_dump_\w+/g) ?? []
    expect(used, expression).not.toEqual([])
    for (const name of used) expect(known, expression).toContain(name.replace(/_bucket$/, ''))
  }
})

test('the panels lie side by side, not on each other', () => {
  const text = readFileSync(join(CHART, 'files/dashboard.json'), 'utf8')
  const { panels } = v.parse(DASHBOARD, JSON.parse(text))
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
  )
  expect(new Set(cells).size).toBe(cells.length)
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
})
