import { readFileSync } from 'node:fs'

/**
 * Arguments as the kernel passed them. Node decodes argv as UTF-8 and puts U+FFFD where it
 * is not, but a comm is bytes: then they come from `/proc/self/cmdline`, the last
 * `words.length` of it. Without /proc the decoded words are used.
 */
export function rawArguments(
  words: readonly string[],
  cmdlinePath = '/proc/self/cmdline',
): readonly Buffer[] {
  if (words.some((word) => word.includes('\uFFFD'))) {
    try {
      const all = splitAtNul(readFileSync(cmdlinePath))
      if (all.length > words.length) return all.slice(-words.length)
    } catch {
      // a root without /proc: only the decoded words are known
    }
  }
  return words.map((word) => Buffer.from(word))
}

function splitAtNul(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = []
  for (let from = 0; from < bytes.length;) {
    const nul = bytes.indexOf(0, from)
    const end = nul < 0 ? bytes.length : nul
    parts.push(bytes.subarray(from, end))
    from = end + 1
  }
  return parts
}
