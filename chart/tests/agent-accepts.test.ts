import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { stringify } from 'yaml'
import { readSettings } from '@core-dump-handler/agent/internal/settings/read-settings'
import { LEAST, render } from '../scripts/helm.ts'
import { CHART, presetFile, presets } from '../scripts/presets.ts'
import { agentEnvironment } from './objects.ts'
import { test, valuesFile } from './values-file.ts'

const EVERYTHING = join(CHART, 'tests/values/everything.yaml')

describe('D16f: integers of any size', () => {
  const numbers = {
    limits: {
      spoolBytes: 9007199254740991,
      spoolFiles: 1000000,
      minFreeBytes: 3000000000,
      maxCoreBytes: 137438953472,
      maxAgeHours: 1000000,
      rateCrashes: 1000000,
      rateWindowSeconds: 86400,
      coresPerFingerprint: 10000,
      fingerprintWindowSeconds: 86400,
      concurrentDrains: 1024,
    },
    composer: { logLength: 100000, timeout: 86400, holdBudgetMs: 86400000 },
    s3: { partBytes: 1073741824, workers: 64 },
    daemonset: { interval: 2147483647 },
    helmTest: { timeoutSeconds: 86400 },
    podSecurityContext: { runAsUser: 0, fsGroup: 1000660000 },
    image: { limit_mem: 134217728 },
    revisionHistoryLimit: 2147483647,
    terminationGracePeriodSeconds: 1000000,
  }

  test('D16f: arrive as they were written', async ({ scratch }) => {
    const file = await valuesFile(scratch, stringify(numbers))
    expect(await render({ files: [file] })).not.toMatch(/\de\+\d/)
    expect(await agentEnvironment([], [file])).toMatchObject({
      SPOOL_MAX_BYTES: '9007199254740991',
      SPOOL_MAX_FILES: '1000000',
      COMP_MAX_CORE_BYTES: '137438953472',
      COMP_RATE_CRASHES: '1000000',
      COMP_HOLD_BUDGET_MS: '86400000',
      S3_PART_BYTES: '1073741824',
      INTERVAL: '2147483647',
    })
  })

  test('D16f: what passes the schema at its limits passes the agent', async ({ scratch }) => {
    const file = await valuesFile(scratch, stringify(numbers))
    expect(readSettings(await agentEnvironment([], [file])).problems).toEqual([])
  })

  test.for([
    'limits.spoolFiles=1000001',
    'limits.maxAgeHours=1000001',
    'limits.rateCrashes=1000001',
    'limits.rateWindowSeconds=86401',
    'limits.coresPerFingerprint=10001',
    'limits.fingerprintWindowSeconds=86401',
    'limits.concurrentDrains=1025',
    'limits.spoolBytes=9007199254740992',
    'limits.maxCoreBytes=9007199254740992Ki',
    'limits.minFreeBytes=8Pi0',
    's3.partBytes=4Mi',
    's3.partBytes=1025Mi',
    'composer.timeout=86401',
    'composer.logLength=100001',
    's3.endpoint=https://user:pass@store.example',
    's3.region=two words',
    'daemonset.s3BucketName=a/b',
    'destination=s3://-bucket/x',
    'destination=s3://bucket/a?b',
    'destination=s3://bucket/../x',
    'destination=file://host/x',
    'daemonset.schedule=0 60 * * * *',
    'daemonset.schedule=0 0 24 * * *',
    'daemonset.schedule=0 0 0 32 * *',
  ])('D16f: %s is refused by the chart, as the agent would', async (pair) => {
    await expect(render({ set: [...LEAST, pair] })).rejects.toThrow(
      new RegExp(pair.slice(0, pair.indexOf('=')).split('.').join('[./]')),
    )
  })
})

const FILES = [EVERYTHING, join(CHART, 'tests/values/version-9.yaml'), ...presets().map(presetFile)]

test.for(FILES)('the agent accepts what the chart makes of %s', async (file) => {
  // the keys are mounted into the pod; here there are no such files
  const { S3_ACCESS_KEY_FILE, S3_SECRET_FILE, ...environment } = await agentEnvironment([], [file])
  expect(S3_ACCESS_KEY_FILE === undefined).toBe(S3_SECRET_FILE === undefined)
  expect(readSettings(environment).problems).toEqual([])
})
