import { type BackupOptions, type IsOurs, readBackup, removeBackup } from './backup.ts'
import { isSysctlError, type SysctlError } from './error.ts'
import { readSysctl, writeSysctl } from './sysctl.ts'

export interface GiveBackOptions extends BackupOptions {
  /**
   * Whether the value in force is still ours to replace; a stranger's newer value is left alone.
   * @default () => true
   */
  readonly isOurs?: IsOurs
  /**
   * Values to set where `isOurs` recognises the value in force and no backup of it is left.
   * @default {}
   */
  readonly fallbacks?: Readonly<Record<string, string>>
}

/** What became of one key. */
export type GivenBack =
  | { readonly key: string; readonly outcome: 'restored' | 'fallback'; readonly value: string }
  /** Nothing to do: already given back, or never taken; `value` is in force. */
  | { readonly key: string; readonly outcome: 'unchanged' | 'foreign'; readonly value: string }
  | { readonly key: string; readonly outcome: 'failed'; readonly error: SysctlError }

/**
 * Restore every key from its backup, then delete the backup; safe to call again, and goes on past a key that fails.
 * Never throws for a key: read `outcome`.
 */
export async function giveBack(
  keys: readonly string[],
  options: GiveBackOptions,
): Promise<GivenBack[]> {
  const results: GivenBack[] = []
  for (const key of keys) {
    try {
      results.push(await giveBackOne(key, options))
    } catch (error) {
      if (!isSysctlError(error)) throw error
      results.push({ key, outcome: 'failed', error })
    }
  }
  return results
}

async function giveBackOne(
  key: string,
  { isOurs, fallbacks = {}, ...options }: GiveBackOptions,
): Promise<GivenBack> {
  const backup = await readBackup(key, options.backupDir)
  const found = await readSysctl(key, options)
  const ours = isOurs?.(key, found)
  const value = ours === false ? found : (backup ?? (ours && fallbacks[key]) ?? found)

  if (found !== value) await writeSysctl(key, value, options)
  await removeBackup(key, options.backupDir)

  if (found !== value)
    return { key, outcome: backup === undefined ? 'fallback' : 'restored', value }
  return { key, outcome: backup === undefined || backup === found ? 'unchanged' : 'foreign', value }
}
