export {
  composerBundle,
  ComposerError,
  corePattern,
  isComposerError,
  MAX_PATTERN_BYTES,
} from './install.ts'
export type { ComposerErrorCode, CorePattern } from './install.ts'
