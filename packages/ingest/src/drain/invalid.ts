import { IngestError } from '../error.ts'

/** The error for an option that is not what it must be. */
export function invalid(option: string, wanted: string, got: string, cause?: unknown): IngestError {
  const message = `Expected \`${option}\` to be ${wanted}, got ${got}`
  return new IngestError('INVALID_OPTION', option, message, { cause })
}
