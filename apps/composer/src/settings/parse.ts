import * as v from 'valibot'
import { SETTINGS_SCHEMA } from './schema.ts'
import type { ComposerSettingName, ComposerSettings } from './settings.ts'

export interface BadSetting {
  readonly name: ComposerSettingName
  /** What it was set to. */
  readonly value: string
  /** Such as: expected `true` or `false`. */
  readonly expected: string
  /** What is used instead. */
  readonly defaultValue: string
}

export interface ParsedSettings {
  readonly settings: ComposerSettings
  /** Those that could not be used; their defaults are in `settings`. */
  readonly bad: readonly BadSetting[]
}

/** Typed settings from variables; never throws: what cannot be used falls back and is listed. */
export function parseComposerSettings(
  variables: Readonly<Record<string, string | undefined>>,
): ParsedSettings {
  const settings: Record<string, unknown> = {}
  const bad: BadSetting[] = []
  for (const [name, [key, defaultValue, schema]] of Object.entries(SETTINGS_SCHEMA)) {
    const value = variables[name]?.trim() ?? defaultValue
    // a variable set to nothing means its default, as everywhere in a container's world
    let parsed = v.safeParse(schema, value === '' ? defaultValue : value)
    if (!parsed.success) {
      const expected = parsed.issues[0].message
      bad.push({ name: name as ComposerSettingName, value, expected, defaultValue })
      parsed = v.safeParse(schema, defaultValue)
    }
    settings[key] = parsed.output
  }
  return { settings: settings as unknown as ComposerSettings, bad }
}
