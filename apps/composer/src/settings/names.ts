import { SETTINGS_SCHEMA } from './schema.ts'
import type { ComposerSettingName, ComposerSettings } from './settings.ts'

/** A variable of the composer's `.env`. */
export interface ComposerSetting {
  /** Variable name, such as `LOG_LEVEL`. */
  readonly name: ComposerSettingName
  /** Field of `ComposerSettings` it sets. */
  readonly key: keyof ComposerSettings
  /** Used where the variable is absent or unusable. */
  readonly defaultValue: string
}

/** Every setting in the order of `.env`: version 9's twelve lines, then ours. */
export const COMPOSER_SETTINGS: readonly ComposerSetting[] = Object.entries(SETTINGS_SCHEMA).map(
  ([name, [key, defaultValue]]) => ({ name: name as ComposerSettingName, key, defaultValue }),
)
