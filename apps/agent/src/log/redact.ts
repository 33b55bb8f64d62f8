/**
 * Replaces every secret in a line of JSON or text, as it is and as JSON would escape it; `secrets`
 * may become more.
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
