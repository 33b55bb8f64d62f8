import { readdirSync } from 'node:fs'
import { join } from 'node:path'

export const CHART: string = new URL('..', import.meta.url).pathname.replace(/\/$/, '')

/** Names of the provider presets: `values.<name>.yaml`. */
export function presets(): string[] {
  return readdirSync(CHART)
    .map((file) => /^values\.(?!schema\.)(.+)\.yaml$/.exec(file)?.[1])
    .filter((name) => name !== undefined)
    .toSorted()
}

export const presetFile = (name: string): string => join(CHART, `values.${name}.yaml`)
