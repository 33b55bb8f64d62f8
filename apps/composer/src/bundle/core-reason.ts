/**
 * Why a core is incomplete or absent, one word for machines; a new one is a minor change. From the
 * composer, then from the agent's own records.
 */
export const CORE_REASON_CODES = [
  /** At MAX_CORE_BYTES or the floor of free space, or the disk took no more. */
  'CORE_CUT',
  'CORE_REFUSED',
  'CORE_OVERSIZED',
  'CORE_NO_SPACE',
  'CORE_SUPPRESSED',
  'CORE_NOT_WRITTEN',
  'DISK_FULL',
  /** The kernel ended it before what the ELF headers promise: the process was killed meanwhile. */
  'TRUNCATED',
  /** The kernel gave nothing. */
  'EMPTY',
  'READ_ERROR',
  'TIMEOUT',
  'INTERRUPTED',
  'FAULT',
  'COMPOSER_DIED',
  'SPOOL_DROPPED',
  'RATE_WINDOW',
] as const

export type CoreReasonCode = (typeof CORE_REASON_CODES)[number]
