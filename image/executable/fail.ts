/** Ends a build with one sentence instead of a stack trace. */
export class BuildError extends Error {
  override readonly name = 'BuildError'
}

export function fail(message: string, cause?: unknown): never {
  throw new BuildError(message, { cause })
}
