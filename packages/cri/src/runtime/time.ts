/** `ns` since the epoch, as in crictl's statuses: UTC, without trailing zeros of the fraction. */
export function rfc3339Nano(ns: bigint): string {
  const fraction = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  const seconds = Number((ns - fraction) / 1_000_000_000n)
  const date = new Date(seconds * 1000)
  // outside the range of a date: shown as it is, not thrown
  if (Number.isNaN(date.getTime())) return String(ns)
  const digits = fraction === 0n ? '' : `.${String(fraction).padStart(9, '0').replace(/0+$/, '')}`
  return date.toISOString().replace(/\.\d+Z$/, `${digits}Z`)
}

/** Nanoseconds since the epoch, as in crictl's lists; `text` itself where it is not RFC 3339. */
export function nanoseconds(text: string): string {
  const [, date, fraction = '', zone] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[-+]\d\d:\d\d)$/.exec(text) ?? []
  const seconds = Date.parse(`${date}${zone}`)
  if (date === undefined || Number.isNaN(seconds)) return text
  return String(BigInt(seconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0')))
}
