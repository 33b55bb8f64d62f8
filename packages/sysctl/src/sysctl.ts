import { constants } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fromSystemError, SysctlError } from './error.ts'

export interface SysctlOptions {
  /**
   * Directory of the sysctl tree: `/host/proc/sys` in a container, a scratch directory in a test.
   * @default '/proc/sys'
   */
  readonly root?: string
}

const KEY = /^[\w-]+([./][\w-]+)*$/
// CORENAME_MAX_SIZE (128) minus the NUL, fs/coredump.c; some kernels cut without an error
export const MAX_VALUE_BYTES: Readonly<Record<string, number>> = { 'kernel.core_pattern': 127 }

/**
 * The file of `key`; accepts `kernel.core_pattern` and `kernel/core_pattern`.
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

/**
 * The current value of `key`, without the newline that the kernel appends.
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

/**
 * Set `key` and read it back. Where the kernel cut the value or did not take it, the old value is
 * restored and the call rejects.
 * @throws SysctlError `INVALID_KEY`, `INVALID_VALUE`, `NOT_FOUND`, `DENIED`, `TOO_LONG`, `REFUSED`, `IO`
 */
export async function writeSysctl(
  key: string,
  value: string,
  options?: SysctlOptions,
): Promise<void> {
  const path = sysctlPath(key, options)
  checkValue(key, value)
  const before = await readSysctl(key, options)
  try {
    await writeValue(path, value)
  } catch (cause) {
    await restoreValue(key, path, before, options)
    throw fromSystemError(`set, to the ${length(value)} \`${value}\`,`, key, cause)
  }
  const after = await readSysctl(key, options)
  if (collapse(after) === collapse(value)) return

  await restoreValue(key, path, before, options)
  throw after !== '' && value.startsWith(after)
    ? tooLong(key, value, Buffer.byteLength(after))
    : new SysctlError(
        'REFUSED',
        key,
        `Cannot set sysctl \`${key}\`: of the ${length(value)} \`${value}\` it reads back \`${after}\` (${length(after)}); the old value was restored`,
      )
}

function checkValue(key: string, value: string): void {
  if (/[\n\0]/.test(value)) {
    throw new SysctlError(
      'INVALID_VALUE',
      key,
      `Expected one line for sysctl \`${key}\`, got ${JSON.stringify(value)}`,
    )
  }
  const maxBytes = MAX_VALUE_BYTES[key.replaceAll('/', '.')]
  if (maxBytes !== undefined && Buffer.byteLength(value) > maxBytes) {
    throw tooLong(key, value, maxBytes)
  }
}

function tooLong(key: string, value: string, maxBytes: number): SysctlError {
  return new SysctlError(
    'TOO_LONG',
    key,
    `Cannot set sysctl \`${key}\`: the value has ${length(value)}, the kernel keeps ${maxBytes}; shorten \`${value}\`; the old value is in force`,
  )
}

async function restoreValue(
  key: string,
  path: string,
  before: string,
  options?: SysctlOptions,
): Promise<void> {
  if ((await readSysctl(key, options)) === before) return
  try {
    await writeValue(path, before)
  } catch (cause) {
    throw fromSystemError(`restore the old value \`${before}\` of`, key, cause)
  }
}

// one write(2), as the kernel requires; creates no file where there is no such sysctl
async function writeValue(path: string, value: string): Promise<void> {
  await writeFile(path, `${value}\n`, { flag: constants.O_WRONLY | constants.O_TRUNC })
}

// numbers written with blanks between them are read back with tabs
const collapse = (value: string): string => value.trim().replace(/\s+/g, ' ')

const length = (value: string): string => `${Buffer.byteLength(value)} bytes`
