import { closeSync, fchmodSync, lstatSync, openSync, unlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fromSystemError, IngestError } from '../error.ts'
import { PartFile } from './part-file.ts'

const NAME_MAX = 255

export interface PartFileOptions {
  /** Permission bits of the file, whatever the umask. @default 0o600 */
  readonly mode?: number
}

/**
 * Creates `<dir>/.<name>.part` for a file to be published as `finalPath`. Synchronous: the first
 * read of a core waits for it. Throws `EXISTS` when either name is taken.
 */
export function createPartFile(
  finalPath: string,
  { mode = 0o600 }: PartFileOptions = {},
): PartFile {
  const path = partPath(finalPath)
  try {
    // wx: O_CREAT | O_EXCL, which follows no symbolic link either
    const fd = openSync(path, 'wx', mode)
    try {
      // after the part file exists: before it, another writer of this name could still publish
      assertAbsent(finalPath)
      fchmodSync(fd, mode)
    } catch (error) {
      unlinkSync(path)
      closeSync(fd)
      throw error
    }
    return new PartFile(fd, path, finalPath)
  } catch (cause) {
    throw fromSystemError('create', path, cause)
  }
}

function assertAbsent(finalPath: string): void {
  if (lstatSync(finalPath, { throwIfNoEntry: false }) === undefined) return
  throw new IngestError(
    'EXISTS',
    finalPath,
    `Cannot create \`${finalPath}\`: it exists (choose another name, nothing was overwritten)`,
  )
}

/** `<dir>/.<name>.part`; a name too long for that is cut, and its hash added. */
function partPath(finalPath: string): string {
  const name = basename(finalPath)
  const whole = `.${name}.part`
  if (Buffer.byteLength(whole) <= NAME_MAX) return join(dirname(finalPath), whole)
  const hash = nameHash(name)
  const room = NAME_MAX - `.~${hash}.part`.length
  // a character cut in two becomes U+FFFD, which takes up to three bytes for one
  const head = Buffer.from(name)
    .subarray(0, room)
    .toString()
    .replace(/\uFFFD+$/u, '')
  return join(dirname(finalPath), `.${head}~${hash}.part`)
}

/** 16 hexadecimal digits: a short name for a long one. */
export function nameHash(name: string): string {
  // loaded here: it takes 4 ms, and only a long name needs it
  const { createHash } = process.getBuiltinModule('node:crypto')
  return createHash('sha256').update(name).digest('hex').slice(0, 16)
}
