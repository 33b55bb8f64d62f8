import { readFile } from 'node:fs/promises'
import { fromSystemError } from './error.ts'
import type { SysctlOptions } from './options.ts'
import { sysctlPath } from './path.ts'

/**
 * The current value of `key`, without the newline the kernel appends.
 * @throws SysctlError `INVALID_KEY`, `NOT_FOUND`, `DENIED`, `IO`
 */
export async function readSysctl(key: string, options?: SysctlOptions): Promise<string> {
  const path = sysctlPath(key, options)
  try {
    return (await readFile(path, 'utf8')).replace(/\n$/, '')
  } catch (cause) {
    throw fromSystemError('read', key, cause)
  }
}
