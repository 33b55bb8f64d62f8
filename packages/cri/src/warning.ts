import { type CriErrorCode, isCriError } from './error.ts'

/** Stable, documented in the README; a new member is a minor change. */
export type ProblemCode =
  | CriErrorCode
  | 'PROCESS_GONE'
  | 'PROCESS_CHANGED'
  | 'PROCESS_FILE_UNREADABLE'
  | 'PROCESS_FILE_TRUNCATED'
  | 'POD_NOT_FOUND'
  | 'IMAGE_NOT_FOUND'
  | 'LOG_MISSING'
  | 'LOG_UNREADABLE'

/** Something that cost one part of the answer; everything else went on. */
export interface Problem {
  readonly code: ProblemCode
  /** One line without control characters: what was attempted, on what, why it failed. */
  readonly message: string
}

const MAX_LENGTH = 500

/** A problem whose message may quote what a container, a runtime or a file said. */
export function problem(code: ProblemCode, message: string): Problem {
  return { code, message: oneLine(message) }
}

/** The problem that an error thrown by this package, or by the system, amounts to. */
export function problemOf(error: unknown, otherwise: ProblemCode = 'CRI_FAILED'): Problem {
  const message = error instanceof Error ? error.message : String(error)
  return problem(isCriError(error) ? error.code : otherwise, message)
}

/** `text` on one line of bounded length: a log reader must not be led by what a container chose. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/[\p{C}\u2028\u2029]+/gu, ' ').trim()
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)}…` : line
}
