import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { buildSchema } from '../scripts/build-schema.ts'
import { generatedFiles } from '../scripts/generated-files.ts'
import { CHART } from '../scripts/presets.ts'
import { readValues } from '../scripts/read-values.ts'

const GROUP = v.looseObject({
  properties: v.record(v.string(), v.unknown()),
  additionalProperties: v.optional(v.unknown()),
})

test.for([...generatedFiles()])('%s is what `npm run chart` writes', ([path, text]) => {
  expect(readFileSync(path, 'utf8')).toBe(text)
})

test('the chart and the image it names go in step with the agent', () => {
  const chart: unknown = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8'))
  const agent = readFileSync(new URL('../../apps/agent/package.json', import.meta.url), 'utf8')
  const { version } = v.parse(v.looseObject({ version: v.string() }), JSON.parse(agent))
  expect(chart).toMatchObject({ name: 'core-dump-handler', version, appVersion: version })
})

test('every group of values refuses a key it does not know', () => {
  const open: string[] = []
  const visit = (schema: unknown, path: string): void => {
    const group = v.safeParse(GROUP, schema)
    if (!group.success) return
    if (group.output.additionalProperties !== false) open.push(path)
    for (const [key, each] of Object.entries(group.output.properties)) {
      visit(each, `${path}.${key}`)
    }
  }
  visit(buildSchema(readValues()), 'values')
  expect(open).toEqual([])
})
