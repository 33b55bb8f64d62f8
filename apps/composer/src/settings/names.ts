import { SETTINGS_SCHEMA } from './schema.ts'
import type { ComposerSettings } from './settings.ts'

/** A variable of the composer's `.env`. */
export interface ComposerSetting {
  /** Variable name, such as `LOG_LEVEL`. */
  readonly name: ComposerSettingName
  /** Field of `ComposerSettings` it sets. */
  readonly key: keyof ComposerSettings
  /** Used where the variable is absent or unusable. */
  readonly defaultValue: string
}

export type ComposerSettingName =
  // version 9 knew these, in this order
  | 'LOG_LEVEL'
  | 'IGNORE_CRIO'
  | 'INCLUDE_PROC_INFO'
  | 'CRIO_IMAGE_CMD'
  | 'USE_CRIO_CONF'
  | 'FILENAME_TEMPLATE'
  | 'LOG_LENGTH'
  | 'POD_SELECTOR_LABEL'
  | 'TIMEOUT'
  | 'COMPRESSION'
  | 'CORE_EVENTS'
  | 'EVENT_DIRECTORY'
  | 'CORE_DIR'
  | 'HONOR_CORE_LIMIT'
  | 'SUID_CORES'
  | 'CRI_CLIENT'
  | 'CRI_ENDPOINT'
  | 'CRI_CALL_TIMEOUT_MS'
  | 'CRI_TOTAL_TIMEOUT_MS'
  | 'COMPRESSION_MODE'
  | 'HOLD_BUDGET_MS'
  | 'MAX_CORE_BYTES'
  | 'MIN_FREE_BYTES'
  | 'OVERSIZED_CORE'
  | 'RATE_CRASHES'
  | 'RATE_WINDOW_SECONDS'
  | 'CONCURRENT_DRAINS'
  | 'OVERRIDE_PROC_FOLDER_PATH'

/** Every setting in the order of `.env`: version 9's twelve lines, then ours. */
export const COMPOSER_SETTINGS: readonly ComposerSetting[] = Object.entries(SETTINGS_SCHEMA).map(
  ([name, [key, defaultValue]]) => ({ name: name as ComposerSettingName, key, defaultValue }),
)
