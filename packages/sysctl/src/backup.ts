import { constants } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import writeFileAtomic from 'write-file-atomic'
import { SysctlError } from './error.ts'
import { makeDirectory } from './make-directory.ts'

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
