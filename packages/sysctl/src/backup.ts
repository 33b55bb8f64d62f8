import { constants } from 'node:fs'
import { mkdir, open, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import writeFileAtomic from 'write-file-atomic'
import { SysctlError } from './error.ts'
import type { SysctlOptions } from './sysctl.ts'

/** Whether `value`, found in force for `key`, was set by the caller (now or in an earlier life). */
export type IsOurs = (key: string, value: string) => boolean

export interface BackupOptions extends SysctlOptions {
  /**
   * Directory of the backups, one `<last part of the key>.bak` per key: the first line of
   * the value found before ours, without a newline, mode 0600. Made (0700) if missing.
   */
  readonly backupDir: string
}

// no link is followed, no FIFO waited for
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
// above one page the kernel takes no value
const MAX_BYTES = 4096

/** `<backupDir>/core_pattern.bak` for `kernel.core_pattern`. */
export function backupPath(key: string, backupDir: string): string {
  return join(backupDir, `${key.split(/[./]/).at(-1)}.bak`)
}

/** The backed up value, or `undefined` where there is none. */
export async function readBackup(key: string, backupDir: string): Promise<string | undefined> {
  const path = backupPath(key, backupDir)
  try {
    // other writers of this format (a shell's `echo`) end the line
    return (await readText(path)).split('\n', 1)[0]
  } catch (cause) {
    if (isAbsent(cause)) return undefined
    throw backupError('read', key, path, cause)
  }
}

async function readText(path: string): Promise<string> {
  await using file = await open(path, FLAGS)
  if (!(await file.stat()).isFile()) throw new Error('it is not a regular file')
  const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0)
  return buffer.toString('utf8', 0, bytesRead)
}

/** Durable before it returns: only then may the value it saves be replaced. */
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

function isAbsent(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && /^(ENOENT|ENOTDIR)$/.test(String(cause.code))
}

function backupError(verb: string, key: string, path: string, cause: unknown): SysctlError {
  const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  return new SysctlError(
    'BACKUP',
    key,
    `Cannot ${verb} \`${path}\`, the backup of sysctl \`${key}\`: ${why}`,
    { cause },
  )
}

/**
 * Makes `path` and what is missing above it, 0700. Node's own recursive way never ends where
 * mkdir(2) itself answers ENOENT, as it does below /proc: a bad path would hold its caller for ever.
 */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT' && path !== dirname(path)
    if (isMissing) {
      await makeDirectory(dirname(path))
      await mkdir(path, { mode: 0o700 }).catch(async (again: unknown) => orIsThere(path, again))
    } else await orIsThere(path, error)
  }
}

/** It is there already, or somebody else was quicker. */
async function orIsThere(path: string, error: unknown): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory() !== true) throw error
}
