import {
  closeSync,
  fchmod,
  fchmodSync,
  lstat,
  lstatSync,
  open,
  openSync,
  unlinkSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { errorCode, fromSystemError, IngestError } from '../error.ts'
import { PartFile } from './part-file.ts'
import { ThreadPool } from './thread-pool.ts'

// not node:fs/promises: it would be loaded while a process is held
const ON_POOL = { open: promisify(open), fchmod: promisify(fchmod), lstat: promisify(lstat) }
const ON_MAIN_THREAD = { open: openSync, fchmod: fchmodSync, lstat: lstatSync }
type FileCalls = typeof ON_POOL | typeof ON_MAIN_THREAD

const NAME_MAX = 255

export interface PartFileOptions {
  /** Permission bits of the file, whatever the umask. @default 0o600 */
  readonly mode?: number
}

/**
 * Creates `<dir>/.<name>.part` for a file to be published as `finalPath`. Rejects with `EXISTS` when
 * either name is taken. On libuv's thread pool where that answers: on a disk that hangs only this
 * call hangs.
 */
export async function createPartFile(
  finalPath: string,
  { mode = 0o600 }: PartFileOptions = {},
): Promise<PartFile> {
  const path = partPath(finalPath)
  const pool = new ThreadPool()
  const calls = (await pool.answers()) ? ON_POOL : ON_MAIN_THREAD
  try {
    // wx: O_CREAT | O_EXCL, which follows no symbolic link either
    const fd = await calls.open(path, 'wx', mode)
    try {
      // after the part file exists: before it, another writer of this name could still publish
      await assertAbsent(finalPath, calls)
      await calls.fchmod(fd, mode)
    } catch (error) {
      unlinkSync(path)
      closeSync(fd)
      throw error
    }
    return new PartFile(fd, path, finalPath, pool)
  } catch (cause) {
    throw fromSystemError('create', path, cause)
  }
}

async function assertAbsent(finalPath: string, { lstat: stat }: FileCalls): Promise<void> {
  try {
    await stat(finalPath)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return
    throw error
  }
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
