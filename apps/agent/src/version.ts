import { readFileSync } from 'node:fs'
import * as v from 'valibot'

/** The version in package.json. */
export function agentVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const { version } = v.parse(v.object({ version: v.string() }), JSON.parse(text))
  return version
}
