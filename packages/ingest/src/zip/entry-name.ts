import { IngestError } from '../error.ts'

const MAX_BYTES = 0xffff
// control characters, line and paragraph separators, and the marks that reorder displayed text
const INVISIBLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u

/** The bytes of an entry name that every reader extracts below its own directory; APPNOTE 4.4.17. */
export function entryNameBytes(name: string): Buffer {
  const fault = faultOf(name)
  if (fault !== undefined) {
    throw new IngestError(
      'INVALID_NAME',
      name,
      `Cannot name an entry ${JSON.stringify(name)}: it ${fault}`,
    )
  }
  return Buffer.from(name, 'utf8')
}

function faultOf(name: string): string | undefined {
  if (name === '') return 'is empty'
  if (!name.isWellFormed()) return 'is not well-formed Unicode'
  if (INVISIBLE.test(name)) return 'holds control characters'
  if (name.includes('\\')) return 'holds a backslash, which some readers take for a directory'
  if (/^[a-z]:/i.test(name)) return 'begins with a drive letter'
  for (const segment of name.split('/')) {
    if (segment === '') return 'is absolute or holds an empty directory name'
    if (segment === '.' || segment === '..') return `holds the directory name \`${segment}\``
  }
  if (Buffer.byteLength(name) > MAX_BYTES) return `is longer than ${MAX_BYTES} bytes`
  return undefined
}

/** The name in a header; undefined where `entryNameBytes` would not have written it. */
export function parseEntryName(bytes: Buffer): string | undefined {
  const name = bytes.toString()
  // bytes that are not UTF-8 become U+FFFD, which has other bytes
  return faultOf(name) === undefined && Buffer.from(name).equals(bytes) ? name : undefined
}
