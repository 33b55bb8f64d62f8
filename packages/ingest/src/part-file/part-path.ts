import { basename, dirname, join } from 'node:path'

const NAME_MAX = 255

/** `<dir>/.<name>.part`; a name too long for the additions is cut and told apart by its hash. */
export function partPath(finalPath: string): string {
  const name = basename(finalPath)
  const whole = `.${name}.part`
  if (Buffer.byteLength(whole) <= NAME_MAX) return join(dirname(finalPath), whole)
  // loaded here: it takes 4 ms, and only a name that long needs it
  const { createHash } = process.getBuiltinModule('node:crypto')
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 16)
  const room = NAME_MAX - `.~${hash}.part`.length
  // a character cut in two becomes U+FFFD, which takes up to three bytes for one
  const head = Buffer.from(name)
    .subarray(0, room)
    .toString()
    .replace(/\uFFFD+$/u, '')
  return join(dirname(finalPath), `.${head}~${hash}.part`)
}
