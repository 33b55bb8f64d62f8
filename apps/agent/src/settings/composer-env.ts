import {
  COMPOSER_SETTINGS,
  formatComposerEnv,
  parseComposerSettings,
  type ComposerSettingName,
  type ComposerSettings,
} from '@core-dump-handler/capture/settings'
import type { SettingProblem } from '@core-dump-handler/upload/settings'

// of version 9; the others may be set for the agent with or without `COMP_`
const ONLY_WITH_PREFIX: ReadonlySet<string> = new Set(
  COMPOSER_SETTINGS.slice(0, 12).map(({ name }) => name),
)

/** Text of the composer's `.env`: from `COMP_*`, then from what the agent itself knows. */
export function composerEnv(
  env: Readonly<NodeJS.ProcessEnv>,
  own: Readonly<Partial<Record<ComposerSettingName, string>>>,
): {
  readonly text: string
  readonly settings: ComposerSettings
  readonly problems: readonly SettingProblem[]
} {
  const values: Partial<Record<ComposerSettingName, string>> = {}
  const sources: Partial<Record<ComposerSettingName, string>> = {}
  for (const { name } of COMPOSER_SETTINGS) {
    const source = variablesOf(name).find((variable) => env[variable]?.trim())
    if (source !== undefined) sources[name] = source
    const value = own[name] ?? (source === undefined ? undefined : env[source]?.trim())
    if (value !== undefined) values[name] = value
  }

  const { settings, bad } = parseComposerSettings(values)
  const problems = bad.map(({ name, value, expected, defaultValue }): SettingProblem => {
    delete values[name]
    const message = `${expected}; ${defaultValue === '' ? 'the default' : `\`${defaultValue}\``} is used`
    return { variable: sources[name] ?? name, got: value, message }
  })
  return { text: formatComposerEnv(values), settings, problems }
}

function variablesOf(name: ComposerSettingName): readonly string[] {
  if (name === 'EVENT_DIRECTORY') return ['COMP_CORE_EVENT_DIR', 'COMP_EVENT_DIRECTORY']
  return ONLY_WITH_PREFIX.has(name) ? [`COMP_${name}`] : [`COMP_${name}`, name]
}
