import {
  type BackupOptions,
  type IsOurs,
  readBackup,
  removeBackup,
  whyNoBackup,
  writeBackup,
} from './backup.ts'
import { isSysctlError, SysctlError } from './error.ts'
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

export interface RestoreOptions extends BackupOptions {
  /**
   * Whether the value in force may be replaced; a newer value of another program is kept.
   * @default () => true
   */
  readonly isOurs?: IsOurs
  /**
   * Values to set where `isOurs` recognises the value in force and there is no backup, or one that
   * cannot be used: such as the defaults of the kernel.
   * @default {}
   */
  readonly fallbacks?: Readonly<Record<string, string>>
}

/** The outcome for one key; `value` is the value in force afterwards. */
export type RestoreResult =
  | { readonly key: string; readonly outcome: 'restored'; readonly value: string }
  /** Set from `fallbacks`; `unusable`: why the backup that was there could not be restored. */
  | {
      readonly key: string
      readonly outcome: 'fallback'
      readonly value: string
      readonly unusable?: string
    }
  /** `unchanged`: already restored, or never taken over; `not-ours`: another program's value is kept. */
  | { readonly key: string; readonly outcome: 'unchanged' | 'not-ours'; readonly value: string }
  | { readonly key: string; readonly outcome: 'failed'; readonly error: SysctlError }

/**
 * Set every key to its backup, then delete the backup. Can be repeated, and continues after a key
 * that fails. Does not reject for a key: read `outcome`.
 */
export async function restore(
  keys: readonly string[],
  options: RestoreOptions,
): Promise<RestoreResult[]> {
  const results: RestoreResult[] = []
  for (const key of keys) {
    try {
      results.push(await restoreOne(key, options))
    } catch (error) {
      if (!isSysctlError(error)) throw error
      results.push({ key, outcome: 'failed', error })
    }
  }
  return results
}

async function restoreOne(
  key: string,
  { isOurs, fallbacks = {}, ...options }: RestoreOptions,
): Promise<RestoreResult> {
  const { value: backup, unusable } = await readBackup(key, options)
  const found = await readSysctl(key, options)
  const ours = isOurs?.(key, found)
  const needsFallback =
    backup === undefined && (ours === true || (unusable !== undefined && ours !== false))
  const fallback = needsFallback ? fallbacks[key] : undefined
  if (needsFallback && fallback === undefined && unusable !== undefined) {
    const message = `Cannot restore sysctl \`${key}\` from ${unusable}; set it yourself, then delete that file`
    throw new SysctlError('BACKUP', key, message)
  }
  const value = ours === false ? found : (backup ?? fallback ?? found)

  if (found !== value) await writeSysctl(key, value, options)
  await removeBackup(key, options.backupDir)

  if (unusable !== undefined && fallback !== undefined) {
    return { key, outcome: 'fallback', value, unusable }
  }
  if (found !== value) {
    return { key, outcome: backup === undefined ? 'fallback' : 'restored', value }
  }
  const isUnchanged = backup === undefined || backup === found
  return { key, outcome: isUnchanged ? 'unchanged' : 'not-ours', value }
}
