import { readFileSync } from 'node:fs'
import { buildDefaults } from './build-defaults.ts'
import { buildSchema } from './build-schema.ts'
import { buildSettings } from './build-settings.ts'
import { buildTable } from './build-table.ts'
import { readValues } from './read-values.ts'

const file = (path: string): string => new URL(path, import.meta.url).pathname
const README_FILE = file('../README.md')
const SETTINGS_FILE = file('../../docs/settings.md')

/** Path and text of each file that is made from values.yaml, the templates and the programs' settings. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const values = readValues()
  return new Map([
    [file('../values.schema.json'), `${JSON.stringify(buildSchema(values), null, 2)}\n`],
    [file('../files/defaults.json'), `${JSON.stringify(buildDefaults(values), null, 1)}\n`],
    [README_FILE, between(README_FILE, 'values', buildTable(values))],
    [SETTINGS_FILE, between(SETTINGS_FILE, 'settings', buildSettings())],
  ])
}

/** The text of a file with `text` between its two marks. */
function between(path: string, mark: string, text: string): string {
  const pattern = new RegExp(`(<!-- ${mark}: begin[^\\n]*-->\\n)[\\s\\S]*(<!-- ${mark}: end -->)`)
  const whole = readFileSync(path, 'utf8')
  if (!pattern.test(whole)) throw new Error(`\`${path}\` lacks the marks of \`${mark}\``)
  return whole.replace(pattern, (_, begin: string, end: string) => `${begin}${text}\n${end}`)
}
