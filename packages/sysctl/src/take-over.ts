import {
  type BackupOptions,
  type IsOurs,
  readBackup,
  removeBackup,
  whyNoBackup,
  writeBackup,
} from './backup.ts'
import { readSysctl, writeSysctl } from './sysctl.ts'

export interface TakeOverOptions extends BackupOptions {
  /**
   * Recognises values that an earlier run of the caller has set: they never become a backup.
   * @default only the wanted value
   */
  readonly isOurs?: IsOurs
  /**
   * `backupDir` of earlier runs of the caller, the last one first; where the value found is ours, the
   * first backup in them is adopted.
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
  /** Why a backup that was there counts as none, and was not replaced. */
  readonly unusable?: string
}

/**
 * Set every sysctl in `values`, in order. A value of another program is saved on disk before it is
 * replaced, in place of an earlier backup; a value of the caller is never saved. Where one key fails,
 * the keys already changed and their backups are restored, and the call rejects.
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
      const kept = await keepBackup(key, found, value, options, undo)
      if (changed) {
        await writeSysctl(key, value, options)
        undo.push(() => writeSysctl(key, found, options))
      }
      done.push({ key, found, changed, ...kept })
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
  options: TakeOverOptions,
  undo: (() => Promise<void>)[],
): Promise<Pick<TakeOverResult, 'backup' | 'unusable'>> {
  const { backupDir, earlierBackupDirs = [], isOurs = (_, value) => value === wanted } = options
  const kept = await readBackup(key, options)
  let backup: string | undefined
  if (isOurs(key, found)) {
    for (const dir of earlierBackupDirs) {
      backup ??= (await readBackup(key, { ...options, backupDir: dir })).value
    }
  } else if (whyNoBackup(key, found, options) === undefined) backup = found
  backup ??= kept.value
  if (backup === undefined) return kept.unusable === undefined ? {} : { unusable: kept.unusable }

  if (backup !== kept.value) {
    await writeBackup(key, backup, backupDir)
    const { value: earlier } = kept
    undo.push(async () =>
      earlier === undefined ? removeBackup(key, backupDir) : writeBackup(key, earlier, backupDir),
    )
  }
  return { backup }
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
