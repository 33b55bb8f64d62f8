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
export { FRAME, FRAMES_MAGIC, STRAIGHT_SOCKET, frame, frameHeader } from './straight/frames.ts'
export type { StraightHello } from './straight/frames.ts'
export { FrameReader } from './straight/frame-reader.ts'
export type { Frame } from './straight/frame-reader.ts'
export { CORE_REASON_CODES } from './bundle/core-reason.ts'
export type { CoreReasonCode } from './bundle/core-reason.ts'
export type {
  BundleManifest,
  ManifestCore,
  ManifestCrash,
  ManifestDelivery,
  ManifestIdentity,
  ManifestTimings,
  Problem,
} from './bundle/manifest-type.ts'
