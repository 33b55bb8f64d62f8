/**
 * Longest `<name>` in bytes. NAME_MAX is 255; room is left for `.`, `.zip`, `.part`, the
 * suffix of equal names, the longest entry (`-<i>-image-info.json`) and a uploader's uuid.
 */
export const MAX_NAME_BYTES = 200

// separators, what Windows and shells trip over, anything invisible, U+FFFD for lost bytes
const UNSAFE = /[/\\:*?"<>|`$\uFFFD\p{C}]|(?! )\p{Z}/gu

/** A file name without any power: one path segment, visible, not hidden; '' if nothing is left. */
export function safeName(wanted: string): string {
  const visible = wanted
    .toWellFormed()
    .replaceAll(UNSAFE, '_')
    .replaceAll(/\.{2,}/g, blank)
  return cut(visible.trim().replace(/^[.-]+/, blank), MAX_NAME_BYTES).trimEnd()
}

function blank(found: string): string {
  return '_'.repeat(found.length)
}

/** At most `bytes` of UTF-8, never half a character. */
function cut(text: string, bytes: number): string {
  const encoded = Buffer.from(text)
  if (encoded.length <= bytes) return text
  let end = bytes
  // continuation bytes are 10xxxxxx
  while (((encoded[end] ?? 0) & 0xc0) === 0x80) end--
  return encoded.toString('utf8', 0, end)
}
