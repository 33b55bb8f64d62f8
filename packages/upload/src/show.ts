// also what turns the text around it, and halves of characters
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029\ufffd]/gu
const MAX_SHOWN = 300

/** A name or a foreign text for a message: back-ticked, on one line, bounded. */
export function show(text: string): string {
  return `\`${plain(text)}\``
}

/** The same without the back-ticks. */
export function plain(text: string): string {
  const cut = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text
  return cut.replace(UNPRINTABLE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
