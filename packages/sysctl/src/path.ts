import { join } from 'node:path'
import { SysctlError } from './error.ts'
import type { SysctlOptions } from './options.ts'

const KEY = /^[\w-]+([./][\w-]+)*$/

/**
 * Where the value of `key` lives; accepts `kernel.core_pattern` and `kernel/core_pattern`.
 * @throws SysctlError `INVALID_KEY`
 */
export function sysctlPath(key: string, { root = '/proc/sys' }: SysctlOptions = {}): string {
  if (!KEY.test(key)) {
    throw new SysctlError(
      'INVALID_KEY',
      key,
      `Expected a sysctl key such as \`kernel.core_pattern\`, got ${JSON.stringify(key)}`,
    )
  }
  return join(root, ...key.split(/[./]/))
}
