import { type BackupOptions, type IsOurs, readBackup, removeBackup, writeBackup } from './backup.ts'
import { readSysctl, writeSysctl } from './sysctl.ts'

export interface TakeOverOptions extends BackupOptions {
  /**
   * Recognises values set by an earlier life of the caller: they never become a backup.
   * @default the wanted value and no other
   */
  readonly isOurs?: IsOurs
  /**
   * Directories where an earlier life of the caller may have kept its backups (its
   * `backupDir` was another one); where the value found is ours, the first backup there is adopted.
   * @default []
   */
  readonly earlierBackupDirs?: readonly string[]
}

/** What became of one key: the value found, and whether it had to be changed. */
export interface TakenOver {
  readonly key: string
  readonly found: string
  readonly changed: boolean
  /** The value `giveBack` will restore; absent where nothing foreign was ever found. */
  readonly backup?: string
}

/**
 * Set every sysctl in `values`, in order, after the first foreign value of each was saved on disk.
 * If one of them fails, those already changed are put back, and their new backups deleted, before it throws.
 * @throws SysctlError any code; AggregateError if undoing fails too
 */
export async function takeOver(
  values: Readonly<Record<string, string>>,
  options: TakeOverOptions,
): Promise<TakenOver[]> {
  const done: TakenOver[] = []
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
