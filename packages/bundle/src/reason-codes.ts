/** Why a core is incomplete or absent, for machines; a new code is a minor change. */
export const CORE_REASON_CODES = [
  /** Cut at MAX_CORE_BYTES, at MIN_FREE_BYTES, or at a failed write. */
  'CORE_CUT',
  'CORE_REFUSED',
  'CORE_OVERSIZED',
  'CORE_NO_SPACE',
  'CORE_SUPPRESSED',
  /** Over CORES_PER_FINGERPRINT. */
  'CORE_REPEATED',
  'CORE_NOT_WRITTEN',
  'DISK_FULL',
  /** The kernel ended the core before the size in its ELF headers: the process was killed. */
  'TRUNCATED',
  /** The kernel wrote nothing. */
  'EMPTY',
  'READ_ERROR',
  'TIMEOUT',
  'INTERRUPTED',
  'FAULT',
  // from records of the agent
  'COMPOSER_DIED',
  'SPOOL_DROPPED',
  'RATE_WINDOW',
  /** It was sent to the store while it was read, and that upload is gone. */
  'UPLOAD_LOST',
] as const

/** One of `CORE_REASON_CODES`. */
export type CoreReasonCode = (typeof CORE_REASON_CODES)[number]
