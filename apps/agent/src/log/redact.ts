/** Replaces every secret in a line of JSON or text, as it is and as JSON would escape it. */
export function redactor(secrets: readonly string[]): (line: string) => string {
  const forms = secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
  // the longest first: one secret may hold another
  const unique = [...new Set(forms)].toSorted((a, b) => b.length - a.length)
  return (line) => unique.reduce((text, form) => text.replaceAll(form, '[redacted]'), line)
}
