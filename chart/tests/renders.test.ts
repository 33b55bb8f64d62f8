import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { GOLDEN, goldenRenders } from '../scripts/golden-renders.ts'
import { LEAST, helm } from '../scripts/helm.ts'
import { CHART, presetFile, presets } from '../scripts/presets.ts'

const VERSION_9_PRESETS =
  'aws aws.bottlerocket aws.sts do gke-cos ibm minikube openshift roks'.split(' ')

test('the presets of version 9 are all here under their names [B14]', () => {
  expect(presets()).toEqual(expect.arrayContaining(VERSION_9_PRESETS))
})

test('every render is the one in tests/golden; `node chart/scripts/golden.ts` writes them again', async () => {
  const fresh = await goldenRenders()
  expect(await readdir(GOLDEN)).toEqual([...fresh.keys()].toSorted())
  for (const [file, text] of fresh) {
    expect(text, file).toBe(await readFile(join(GOLDEN, file), 'utf8'))
  }
})

describe('helm lint', () => {
  test.for(presets())('finds nothing in the preset %s [B14]', async (name) => {
    const set = LEAST.flatMap((pair) => ['--set', pair])
    const report = await helm(['lint', '--strict', CHART, '--values', presetFile(name), ...set])
    expect(report).toContain('0 chart(s) failed')
  })
})

test('a misspelt key is refused', async () => {
  const misspelt = [...LEAST, 'daemonset.composerCrioImageCmd=images']
  const attempt = helm(['template', CHART, ...misspelt.flatMap((pair) => ['--set', pair])])
  await expect(attempt).rejects.toThrow(/composerCrioImageCmd/)
})
