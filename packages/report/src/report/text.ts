const MAX_PATH_CHARACTERS = 512

/** No control byte, no line separator, no change of direction: the crashed program chose the text, not its lines. */
export function escapeControls(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\u2028\u2029]/gu, (char) => {
    const code = char.codePointAt(0) ?? 0
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`
}

/** At most so many characters; what was cut ends with an ellipsis. */
export function shorten(text: string, maxCharacters: number = MAX_PATH_CHARACTERS): string {
  if (text.length <= maxCharacters) return text
  // half of a surrogate pair is no text
  return `${text.slice(0, maxCharacters - 1).replace(/[\uD800-\uDBFF]$/, '')}…`
}

export function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}
