import { COMPOSER_SETTINGS } from '@core-dump-handler/capture/settings'
import { readSettings } from '@core-dump-handler/agent/internal/settings/read-settings'

/** A file that is everywhere and holds one word. */
const READABLE = '/proc/sys/kernel/ostype'
/** Values of which at least one means something to each variable. */
const SAMPLES: readonly string[] = [
  READABLE,
  ...'1 0 2 7000 65536 6000000 true false report supported response required node sample'.split(
    ' ',
  ),
  ...'AES256 https://sample file:/sample'.split(' '),
]
const LEAST = { DESTINATION: 's3://bucket', S3_REGION: 'region' }
/** Where a variable means something only with, or without, another. */
const BESIDE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  S3_BUCKET_NAME: { DESTINATION: '' },
  S3_ACCESS_KEY_FILE: { S3_SECRET_FILE: READABLE },
  S3_SECRET_FILE: { S3_ACCESS_KEY_FILE: READABLE },
}

/** Field of the typed settings that a variable sets: of `ComposerSettings`, or found by trying it with the agent. */
export function settingsField(variable: string): string | undefined {
  const name =
    variable === 'COMP_CORE_EVENT_DIR' ? 'EVENT_DIRECTORY' : variable.replace(/^COMP_/, '')
  const composer = COMPOSER_SETTINGS.find((setting) => setting.name === name)
  if (composer && variable.startsWith('COMP_')) return `ComposerSettings.${composer.key}`
  const changed = SAMPLES.map((sample) => changedBy(variable, sample)).find(
    ({ length }) => length > 0,
  )
  return changed && `AgentSettings.${changed[0]}`
}

function changedBy(variable: string, sample: string): string[] {
  const env = { ...LEAST, ...BESIDE[variable] }
  const before = flatten(readSettings(env).settings)
  const after = flatten(readSettings({ ...env, [variable]: sample }).settings)
  return [...after.keys(), ...before.keys()].filter((key) => before.get(key) !== after.get(key))
}

function flatten(value: unknown, path = ''): Map<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return new Map([[path, typeof value === 'function' ? 'function' : JSON.stringify(value)]])
  }
  return new Map(
    Object.entries(value).flatMap(([key, each]) => [
      ...flatten(each, path === '' ? key : `${path}.${key}`),
    ]),
  )
}
