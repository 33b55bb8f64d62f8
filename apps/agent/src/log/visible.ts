// what moves a cursor, ends a line for some reader, or turns text around; JSON lets most of it pass
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu

/** `line` as what it is, for a terminal and a reader of logs: in JSON it still says the same. */
export function visible(line: string): string {
  return line.replaceAll(UNSEEN, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
