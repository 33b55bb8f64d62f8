import { constants } from 'node:fs'
import { mkdir, open, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import writeFileAtomic from 'write-file-atomic'
import { reasonOf, SysctlError } from './error.ts'
import { MAX_VALUE_BYTES, type SysctlOptions } from './sysctl.ts'

/** Whether `value`, in force for `key`, was set by the caller, in this run or an earlier one. */
export type IsOurs = (key: string, value: string) => boolean

/** What is saved for one key; `{}`: there is no backup. */
export interface Backup {
  readonly value?: string
  /** Why the backup that there is cannot be restored: it counts as none. */
  readonly unusable?: string
}

export interface BackupOptions extends SysctlOptions {
  /**
   * Directory of the backups, one `<last part of the key>.bak` per key: the first line of
   * the value found before the caller's, without a newline, mode 0600. Created (0700) if missing.
   */
  readonly backupDir: string
  /**
   * Whether `value` may be a backup: such as no value that any version of the caller sets.
   * @default every value that the kernel can have had
   */
  readonly isBackup?: (key: string, value: string) => boolean
}

// no link is followed, and a FIFO does not block
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
// the kernel takes no value above one page
const MAX_BYTES = 4096

/** `<backupDir>/core_pattern.bak` for `kernel.core_pattern`. */
function backupPath(key: string, backupDir: string): string {
  return join(backupDir, `${key.split(/[./]/).at(-1)}.bak`)
}

/** The backup of `key`. One that is empty, cut, or can never have been in force is unusable. */
export async function readBackup(key: string, options: BackupOptions): Promise<Backup> {
  const path = backupPath(key, options.backupDir)
  let value: string
  try {
    // a backup written by a shell's `echo` ends with a newline
    value = (await readText(path)).split('\n', 1)[0] ?? ''
  } catch (cause) {
    if (/^(ENOENT|ENOTDIR)$/.test(reasonOf(cause))) return {}
    throw backupError('read', key, path, cause)
  }
  const unusable = whyNoBackup(key, value, options)
  return unusable === undefined ? { value } : { unusable: `\`${path}\`: ${unusable}` }
}

/** Why `value` cannot be a backup of `key`; `undefined`: it can. */
export function whyNoBackup(
  key: string,
  value: string,
  { isBackup = () => true }: BackupOptions,
): string | undefined {
  const impossible = whyImpossible(key, value)
  if (impossible !== undefined) return impossible
  return isBackup(key, value) ? undefined : 'it is a value of the caller itself'
}

/**
 * Make `value`, which another program has set, the value that `restore` will set. Durable when it
 * resolves; it resolves with `false`, and changes nothing, where `value` cannot be a backup.
 * @throws SysctlError `BACKUP`
 */
export async function renewBackup(
  key: string,
  value: string,
  options: BackupOptions,
): Promise<boolean> {
  if (whyNoBackup(key, value, options) !== undefined) return false
  if ((await readBackup(key, options)).value === value) return true
  await writeBackup(key, value, options.backupDir)
  return true
}

async function readText(path: string): Promise<string> {
  await using file = await open(path, FLAGS)
  if (!(await file.stat()).isFile()) throw new Error('it is not a regular file')
  const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0)
  return buffer.toString('utf8', 0, bytesRead)
}

/** The backup is durable when this returns: only then may the value be replaced. */
export async function writeBackup(key: string, value: string, backupDir: string): Promise<void> {
  const path = backupPath(key, backupDir)
  try {
    await makeDirectory(backupDir)
    await writeFileAtomic(path, value.split('\n', 1)[0] ?? '', { mode: 0o600 })
  } catch (cause) {
    throw backupError('write', key, path, cause)
  }
}

export async function removeBackup(key: string, backupDir: string): Promise<void> {
  const path = backupPath(key, backupDir)
  try {
    await rm(path, { force: true })
  } catch (cause) {
    throw backupError('delete', key, path, cause)
  }
}

function backupError(verb: string, key: string, path: string, cause: unknown): SysctlError {
  const message = `Cannot ${verb} \`${path}\`, the backup of sysctl \`${key}\`: ${reasonOf(cause)}`
  return new SysctlError('BACKUP', key, message, { cause })
}

/**
 * Create `path` and its missing parents, 0700. Not by Node's `recursive`, which loops for ever where
 * mkdir(2) returns ENOENT for an existing parent, as below /proc.
 */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    const isMissing = reasonOf(error) === 'ENOENT' && path !== dirname(path)
    if (isMissing) {
      await makeDirectory(dirname(path))
      await mkdir(path, { mode: 0o700 }).catch(async (again: unknown) =>
        unlessDirectory(path, again),
      )
    } else await unlessDirectory(path, error)
  }
}

/** Throws `error` unless `path` is a directory, perhaps made by another process just now. */
async function unlessDirectory(path: string, error: unknown): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory() !== true) throw error
}

// the kernel's int, and the three values of fs.suid_dumpable, proc_sys_fs(5)
const RANGES: Readonly<Record<string, readonly [min: number, max: number]>> = {
  'kernel.core_pipe_limit': [-(2 ** 31), 2 ** 31 - 1],
  'fs.suid_dumpable': [0, 2],
}
const CORE_PATTERN = 'kernel.core_pattern'
// the replacement character stands for bytes that were not UTF-8: they cannot be written again
const UNWRITABLE = /[\p{Cc}\u{fffd}]/u

/**
 * Why `key` cannot have had `value`, such as that of a backup whose write was cut; `undefined`: it
 * can. A value of any other key is only checked for being one line of text.
 */
function whyImpossible(key: string, value: string): string | undefined {
  if (value.trim() === '') return 'it is empty'
  if (UNWRITABLE.test(value.replaceAll('\t', ' '))) return 'it is no line of text'
  const name = key.replaceAll('/', '.')
  const range = RANGES[name]
  if (range !== undefined) return whyNoNumber(value.trim(), range)
  return name === CORE_PATTERN ? whyNoPattern(value) : undefined
}

function whyNoNumber(text: string, [min, max]: readonly [number, number]): string | undefined {
  const isNumber = /^-?\d{1,10}$/.test(text) && Number(text) >= min && Number(text) <= max
  return isNumber ? undefined : `it is no number from ${min} to ${max}`
}

function whyNoPattern(pattern: string): string | undefined {
  const bytes = Buffer.byteLength(pattern)
  const maxBytes = MAX_VALUE_BYTES[CORE_PATTERN] ?? Infinity
  if (bytes > maxBytes) return `it has ${bytes} bytes, the kernel keeps ${maxBytes}`
  if (/^(\||@+)\s*$/.test(pattern)) return 'it names no program and no socket'
  // only the kernel's own limit leaves half a specifier
  const endsInSpecifier = /(?<!%)(%%)*%$/.test(pattern)
  return endsInSpecifier && bytes < maxBytes ? 'it ends within a specifier' : undefined
}
