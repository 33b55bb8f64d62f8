import { type BackupOptions, type IsOurs, readBackup, removeBackup, writeBackup } from './backup.ts'
import { readSysctl, writeSysctl } from './sysctl.ts'

export interface TakeOverOptions extends BackupOptions {
  /**
   * Recognises values that an earlier run of the caller has set: they never become a backup.
   * @default only the wanted value
   */
  readonly isOurs?: IsOurs
  /**
   * `backupDir` of earlier runs of the caller; where the value found is ours, the first backup in
   * them is adopted.
   * @default []
   */
  readonly earlierBackupDirs?: readonly string[]
}

/** The outcome for one key: the value found, and whether it was changed. */
export interface TakeOverResult {
  readonly key: string
  readonly found: string
  readonly changed: boolean
  /** The value that `restore` will set; absent where only values of the caller were found. */
  readonly backup?: string
}

/**
 * Set every sysctl in `values`, in order. The first value of another program is saved on disk before
 * it is replaced. Where one key fails, the keys already changed are restored, their new backups
 * deleted, and the call rejects.
 * @throws SysctlError any code; AggregateError where undoing fails, too
 */
export async function takeOver(
  values: Readonly<Record<string, string>>,
  options: TakeOverOptions,
): Promise<TakeOverResult[]> {
  const done: TakeOverResult[] = []
  const undo: (() => Promise<void>)[] = []
  try {
    for (const [key, value] of Object.entries(values)) {
      const found = await readSysctl(key, options)
      const changed = found !== value
      const backup = await keepBackup(key, found, value, options, undo)
      if (changed) {
        await writeSysctl(key, value, options)
        undo.push(() => writeSysctl(key, found, options))
      }
      done.push({ key, found, changed, ...(backup !== undefined && { backup }) })
    }
  } catch (error) {
    await undoAll(undo, error)
    throw error
  }
  return done
}

async function keepBackup(
  key: string,
  found: string,
  wanted: string,
  { backupDir, earlierBackupDirs = [], isOurs = (_, value) => value === wanted }: TakeOverOptions,
  undo: (() => Promise<void>)[],
): Promise<string | undefined> {
  const kept = await readBackup(key, backupDir)
  if (kept !== undefined) return kept

  let backup = isOurs(key, found) ? undefined : found
  for (const dir of earlierBackupDirs) backup ??= await readBackup(key, dir)
  if (backup === undefined) return undefined

  await writeBackup(key, backup, backupDir)
  undo.push(() => removeBackup(key, backupDir))
  return backup
}

async function undoAll(undo: (() => Promise<void>)[], error: unknown): Promise<void> {
  const failures: unknown[] = []
  for (const step of undo.toReversed()) {
    await step().catch((failure: unknown) => failures.push(failure))
  }
  if (failures.length > 0) {
    throw new AggregateError([error, ...failures], 'Cannot undo a failed take-over of sysctls', {
      cause: error,
    })
  }
}
