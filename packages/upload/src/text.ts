/** What ends a line for some reader, or changes the direction of the text around it. */
export const CONTROL: RegExp = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu
/** Halves of surrogate pairs, and what stands for bytes that are no UTF-8. */
const BROKEN = /[\p{Cs}\ufffd]/gu
const MAX_SHOWN = 300

/** A name or a foreign text for a message: back-ticked, on one line, at most 300 characters. */
export function show(text: string): string {
  return `\`${plain(text)}\``
}

/** The same without the back-ticks. */
export function plain(text: string): string {
  const cut = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text
  return cut.replace(CONTROL, escaped).replace(BROKEN, escaped)
}

/** The message of whatever was thrown, harmless in a message of ours. */
export function reasonOf(cause: unknown): string {
  return plain(cause instanceof Error ? cause.message : String(cause))
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
