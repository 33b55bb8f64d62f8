import { join } from 'node:path'
import { COMPOSER_SETTINGS } from '@core-dump-handler/capture/settings'
import { expect, test } from 'vitest'
import { VARIABLES } from '@core-dump-handler/agent/internal/settings/variables'
import { LEAST } from '../scripts/helm.ts'
import { CHART } from '../scripts/presets.ts'
import { agentEnvironment } from './objects.ts'

/** Read by the agent before or beside its settings. */
const OTHERS = ['LOG_LEVEL', 'DAEMONSET_NAME', 'POD_NAMESPACE', 'POD_NAME', 'POD_UID', 'NODE_NAME']

test('every variable the chart sets is one that the programs read', async () => {
  const read = new Set([
    ...Object.keys(VARIABLES),
    ...COMPOSER_SETTINGS.map(({ name }) => `COMP_${name}`),
    'COMP_CORE_EVENT_DIR',
    ...OTHERS,
  ])
  const everything = join(CHART, 'tests/values/everything.yaml')
  const set = Object.keys(await agentEnvironment(['daemonset.extraEnvVars='], [everything]))
  expect(set.length).toBeGreaterThan(LEAST.length + 30)
  expect(set.filter((name) => !read.has(name))).toEqual([])
})
