import { UploadError } from './error.ts'
import { CONTROL, show } from './text.ts'

/** S3 takes 1,024 bytes of UTF-8 as a key; a directory takes no longer ones. */
const MAX_KEY_BYTES = 1024
const MAX_NAME_BYTES = 255

/** A file name as a key: control characters, which XML listings cannot contain, become percent-encoded. */
export function keyOf(name: string): string {
  return name.replace(CONTROL, encodeURIComponent)
}

/** Reject keys that would leave the prefix or that no store accepts. */
export function checkKey(key: string, prefix = ''): string {
  const parts = key.split('/')
  const wrong =
    key === ''
      ? 'is empty'
      : parts.some((part) => part === '' || part === '.' || part === '..')
        ? 'has an empty, `.` or `..` component'
        : key !== keyOf(key)
          ? 'holds a control character'
          : Buffer.byteLength(prefix + key) > MAX_KEY_BYTES
            ? `is longer than ${MAX_KEY_BYTES} bytes with its prefix`
            : undefined
  if (wrong !== undefined) {
    throw new UploadError('INVALID', `The key ${show(prefix + key)} ${wrong}: choose another`)
  }
  return key
}

/** `a/b.zip` and `x` to `a/b-x.zip`, the name cut where it would exceed 255 bytes. */
export function appendToKey(key: string, id: string): string {
  const slash = key.lastIndexOf('/') + 1
  const name = key.slice(slash)
  const dot = name.lastIndexOf('.')
  const extension = dot > 0 ? name.slice(dot) : ''
  const tail = `-${id}${extension}`
  const stem = Buffer.from(dot > 0 ? name.slice(0, dot) : name)
  const room = MAX_NAME_BYTES - Buffer.byteLength(tail)
  // a cut in mid-character decodes to U+FFFD, which goes too
  const kept =
    stem.length <= room
      ? stem.toString()
      : stem
          .subarray(0, room)
          .toString()
          .replace(/\ufffd+$/, '')
  return `${key.slice(0, slash)}${kept}${tail}`
}
