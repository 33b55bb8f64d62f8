import { readFileSync } from 'node:fs'
import { buildSchema } from './build-schema.ts'
import { buildTable } from './build-table.ts'
import { readValues } from './read-values.ts'

const SCHEMA_FILE = new URL('../values.schema.json', import.meta.url).pathname
const README_FILE = new URL('../README.md', import.meta.url).pathname
const TABLE = /(<!-- values: begin[^\n]*-->\n)[\s\S]*(<!-- values: end -->)/

/** Path and text of each file that is made from values.yaml. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const values = readValues()
  const readme = readFileSync(README_FILE, 'utf8')
  if (!TABLE.test(readme)) throw new Error(`\`${README_FILE}\` lacks the marks of the values table`)
  return new Map([
    [SCHEMA_FILE, `${JSON.stringify(buildSchema(values), null, 2)}\n`],
    [
      README_FILE,
      readme.replace(TABLE, (_, begin, end) => `${begin}${buildTable(values)}\n${end}`),
    ],
  ])
}
