import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { buildSchema } from '../scripts/build-schema.ts'
import { generatedFiles } from '../scripts/generated-files.ts'
import { CHART } from '../scripts/presets.ts'
import { readValues } from '../scripts/read-values.ts'

test.for([...generatedFiles()])('%s is what `npm run chart` writes', ([path, text]) => {
  expect(readFileSync(path, 'utf8')).toBe(text)
})

test('the chart and the image it names go in step with the agent', () => {
  const chart = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')) as Record<string, string>
  const agent = readFileSync(new URL('../../apps/agent/package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(agent) as { version: string }
  expect(chart).toMatchObject({ name: 'core-dump-handler', version, appVersion: version })
})

test('every group of values refuses a key it does not know', () => {
  const open: string[] = []
  const visit = (schema: Record<string, unknown>, path: string): void => {
    if (schema['properties'] === undefined) return
    if (schema['additionalProperties'] !== false) open.push(path)
    for (const [key, each] of Object.entries(schema['properties'] as object)) {
      visit(each as Record<string, unknown>, `${path}.${key}`)
    }
  }
  visit(buildSchema(readValues()), 'values')
  expect(open).toEqual([])
})
