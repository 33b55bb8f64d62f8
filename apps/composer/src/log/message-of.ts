/** The message of anything thrown, with those of its causes that it does not quote itself. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : messageOf(error.cause)
  return error.message.includes(cause) ? error.message : `${error.message}: ${cause}`
}
