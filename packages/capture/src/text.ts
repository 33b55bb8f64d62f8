/** The message of anything thrown, with those of its causes that it does not quote itself. */
export function errorMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : errorMessage(error.cause)
  return error.message.includes(cause) ? error.message : `${error.message}: ${cause}`
}

/** The errno name of a failed system call, such as `ENOENT`; undefined for other errors. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error && 'code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/**
 * `text` of another process as one line: control and format characters and line separators are
 * escaped, as `\x0a` or `\u{2028}`.
 */
export function escapeControls(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (char) => {
    const code = char.codePointAt(0) ?? 0
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}
