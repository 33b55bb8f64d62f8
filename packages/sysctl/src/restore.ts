import { type BackupOptions, type IsOurs, readBackup, removeBackup } from './backup.ts'
import { isSysctlError, type SysctlError } from './error.ts'
import { readSysctl, writeSysctl } from './sysctl.ts'

export interface RestoreOptions extends BackupOptions {
  /**
   * Whether the value in force may be replaced; a newer value of another program is kept.
   * @default () => true
   */
  readonly isOurs?: IsOurs
  /**
   * Values to set where `isOurs` recognises the value in force and there is no backup.
   * @default {}
   */
  readonly fallbacks?: Readonly<Record<string, string>>
}

/** The outcome for one key; `value` is the value in force afterwards. */
export type RestoreResult =
  | { readonly key: string; readonly outcome: 'restored' | 'fallback'; readonly value: string }
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
  const backup = await readBackup(key, options.backupDir)
  const found = await readSysctl(key, options)
  const ours = isOurs?.(key, found)
  const value = ours === false ? found : (backup ?? (ours && fallbacks[key]) ?? found)

  if (found !== value) await writeSysctl(key, value, options)
  await removeBackup(key, options.backupDir)

  if (found !== value) {
    return { key, outcome: backup === undefined ? 'fallback' : 'restored', value }
  }
  const isUnchanged = backup === undefined || backup === found
  return { key, outcome: isUnchanged ? 'unchanged' : 'not-ours', value }
}
