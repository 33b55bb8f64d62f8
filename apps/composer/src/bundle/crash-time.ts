/** RFC 3339 of the kernel's `%t`; of `now` when that says nothing usable. */
export function crashTime(timestamp: string, now: Date = new Date()): string {
  const at = /^\d{1,11}$/.test(timestamp) ? new Date(Number(timestamp) * 1000) : now
  return at.toISOString()
}
