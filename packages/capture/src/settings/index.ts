export { formatComposerEnv, loadSettings } from './load.ts'
export { COMPOSER_SETTINGS, parseComposerSettings } from './schema.ts'
export type {
  BadSetting,
  ComposerSetting,
  ComposerSettingName,
  ComposerSettings,
  ParsedSettings,
} from './schema.ts'
