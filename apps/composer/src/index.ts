export { ComposerError, isComposerError } from './error.ts'
export type { ComposerErrorCode } from './error.ts'
export { COMPOSER_SETTINGS } from './settings/names.ts'
export type { ComposerSetting } from './settings/names.ts'
export { formatComposerEnv } from './settings/format.ts'
export { parseComposerSettings } from './settings/parse.ts'
export type { BadSetting, ParsedSettings } from './settings/parse.ts'
export type {
  ComposerSettingName,
  ComposerSettings,
  CompressionSetting,
  LogLevel,
} from './settings/settings.ts'
export { MAX_PATTERN_BYTES, corePattern } from './pattern.ts'
export type { CorePattern } from './pattern.ts'
export { composerBundle } from './artefact.ts'
