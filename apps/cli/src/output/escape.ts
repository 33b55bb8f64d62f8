const MAX_SHOWN = 300

// what moves a cursor, ends a line or changes the direction of the text around it, and broken text
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu
const UNSAFE_IN_TEXT = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu

/** A name from a bundle or a store on one line: crashed programs chose it. */
export function escapeName(text: string): string {
  return text.replaceAll(UNSAFE, escaped)
}

/** A text of several lines; its line feeds and tabs stay. */
export function escapeText(text: string): string {
  return text.replaceAll(UNSAFE_IN_TEXT, escaped)
}

/** A name for a message: back-ticked, on one line, at most 300 characters. */
export function show(text: string): string {
  const cut = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text
  return `\`${escapeName(cut)}\``
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}
