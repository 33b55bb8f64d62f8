import { type CriErrorCode, isCriError } from './error.ts'
import { messageOf, oneLine } from './text.ts'

/** Stable, documented in the README; a new member is a minor change. */
export type WarningCode =
  | CriErrorCode
  | 'PROCESS_GONE'
  | 'PROCESS_CHANGED'
  | 'PROCESS_FILE_UNREADABLE'
  | 'PROCESS_FILE_TRUNCATED'
  | 'POD_NOT_FOUND'
  | 'IMAGE_NOT_FOUND'
  | 'LOG_MISSING'
  | 'LOG_UNREADABLE'

/** A failure that cost one part of the result; everything else went on. */
export interface Warning {
  readonly code: WarningCode
  /** One line without control characters: what was attempted, on what, why it failed. */
  readonly message: string
}

/** A warning whose message may quote a container, a runtime or a file. */
export function warning(code: WarningCode, message: string): Warning {
  return { code, message: oneLine(message) }
}

/** The warning for an error; `otherwise` is the code of an error that is not a `CriError`. */
export function warningOf(error: unknown, otherwise: WarningCode = 'CRI_FAILED'): Warning {
  return warning(isCriError(error) ? error.code : otherwise, messageOf(error))
}
