export interface SysctlOptions {
  /**
   * Directory the sysctl tree is mounted on; point it at `/host/proc/sys` in a
   * container, or at a scratch directory in a test.
   * @default '/proc/sys'
   */
  readonly root?: string
}

/** Whether `value`, found in force for `key`, was set by the caller (now or in an earlier life). */
export type IsOurs = (key: string, value: string) => boolean

export interface BackupOptions extends SysctlOptions {
  /**
   * Directory of the backups, one `<last part of the key>.bak` per key: the first line of
   * the value found before ours, without a newline, mode 0600. Made (0700) if missing.
   */
  readonly backupDir: string
}
