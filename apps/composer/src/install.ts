import { posix } from 'node:path'

/** Stable, documented in the README; a new member is a minor change. */
export type ComposerErrorCode = 'INVALID_DIRECTORY' | 'PATTERN_TOO_LONG'

/** What was attempted and what to do instead. */
export class ComposerError extends Error {
  override readonly name = 'ComposerError'
  readonly code: ComposerErrorCode

  constructor(code: ComposerErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** Unlike `instanceof`, holds across two installed copies of this package. */
export function isComposerError(error: unknown): error is ComposerError {
  return error instanceof Error && error.name === 'ComposerError'
}

/** The composer as one CommonJS file, made by this package's build: what a node runs as `cdc`. */
export function composerBundle(): URL {
  return new URL('../dist/cdc.cjs', import.meta.url)
}

/** Longest `kernel.core_pattern` in bytes: CORENAME_MAX_SIZE less the NUL, core(5). */
export const MAX_PATTERN_BYTES = 127

// v9 has no flag for the last six: where they do not fit, they are left out
const REQUIRED = ['-c=%c', '-e=%e', '-p=%p', '-s=%s', '-t=%t', '-h=%h', '-E=%E']
const OPTIONAL = ['-P=%P', '-I=%I', '-u=%u', '-g=%g', '-M=%d', '-F=%F']

export interface CorePattern {
  /** What to write to `kernel.core_pattern`, without a newline. */
  readonly pattern: string
  /** Optional flags that did not fit, in pattern order; empty when all did. */
  readonly dropped: readonly string[]
}

/**
 * The `kernel.core_pattern` that runs `<hostDir>/cdc`: as many optional flags as fit in
 * 127 bytes, dropped from the right (`-F` first, the host pid `-P` last).
 *
 * @throws ComposerError
 */
export function corePattern(hostDir: string): CorePattern {
  // the kernel splits at white space and expands `%`: such a path would never be executed
  if (!posix.isAbsolute(hostDir) || !/^[\x21-\x24\x26-\x7e]+$/.test(hostDir)) {
    throw new ComposerError(
      'INVALID_DIRECTORY',
      `Cannot run the composer from \`${hostDir}\`: expected an absolute path of printable ASCII without blanks and \`%\``,
    )
  }
  const program = `|${posix.join(hostDir, 'cdc')}`
  for (let kept = OPTIONAL.length; kept >= 0; kept--) {
    const pattern = [program, ...REQUIRED, ...OPTIONAL.slice(0, kept)].join(' ')
    if (pattern.length <= MAX_PATTERN_BYTES) return { pattern, dropped: OPTIONAL.slice(kept) }
  }
  const least = [program, ...REQUIRED].join(' ').length
  throw new ComposerError(
    'PATTERN_TOO_LONG',
    `Cannot run the composer from \`${hostDir}\`: the shortest core_pattern takes ${least} bytes and the kernel keeps ${MAX_PATTERN_BYTES}; choose a directory at least ${least - MAX_PATTERN_BYTES} bytes shorter`,
  )
}
