import { type BackupOptions, type IsOurs, readBackup, removeBackup } from './backup.ts'
import { isSysctlError, SysctlError } from './error.ts'
import { readSysctl, writeSysctl } from './sysctl.ts'

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
