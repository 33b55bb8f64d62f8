/**
 * Replaces every secret in a line of JSON or text, as it is and as JSON would escape it; `secrets`
 * may grow.
 */
export function redactor(secrets: readonly string[]): (line: string) => string {
  let known = 0
  let forms: readonly string[] = []
  return (line) => {
    if (secrets.length !== known) forms = formsOf(secrets)
    known = secrets.length
    return forms.reduce((text, form) => text.replaceAll(form, '[redacted]'), line)
  }
}

function formsOf(secrets: readonly string[]): readonly string[] {
  const forms = secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
  // the longest first: one secret may hold another
  return [...new Set(forms)].toSorted((a, b) => b.length - a.length)
}

// what moves a cursor, ends a line, or reverses the direction of text; JSON does not escape most of it
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu

/** `line` with invisible characters escaped, so that it is harmless on a terminal; in JSON it means the same. */
export function visible(line: string): string {
  return line.replaceAll(UNSEEN, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
