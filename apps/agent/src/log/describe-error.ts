/** What of an error may be written: never its other fields, where SDKs keep requests and keys. */
export interface ErrorDescription {
  readonly name: string
  readonly code?: string
  readonly message: string
  readonly cause?: ErrorDescription
  readonly errors?: readonly ErrorDescription[]
}

export function describeError(error: unknown, depth = 0): ErrorDescription {
  if (!(error instanceof Error)) return { name: typeof error, message: String(error) }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const deeper = depth < 4
  return {
    name: error.name,
    ...(code !== undefined && { code }),
    message: error.message,
    ...(deeper && error.cause !== undefined && { cause: describeError(error.cause, depth + 1) }),
    ...(deeper &&
      error instanceof AggregateError && {
        errors: error.errors.map((one: unknown) => describeError(one, depth + 1)),
      }),
  }
}
