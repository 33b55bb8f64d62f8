import { MAX_VALUE_BYTES } from './sysctl.ts'

// the kernel's int, and the three values of fs.suid_dumpable, proc_sys_fs(5)
const RANGES: Readonly<Record<string, readonly [min: number, max: number]>> = {
  'kernel.core_pipe_limit': [-(2 ** 31), 2 ** 31 - 1],
  'fs.suid_dumpable': [0, 2],
}
const CORE_PATTERN = 'kernel.core_pattern'
// the replacement character stands for bytes that were not UTF-8: they cannot be written again
const UNWRITABLE = /[\p{Cc}\u{fffd}]/u

/**
 * Why `key` cannot have had `value`, such as that of a backup whose write was cut; `undefined`: it
 * can. A value of any other key is only checked for being one line of text.
 */
export function whyImpossible(key: string, value: string): string | undefined {
  if (value.trim() === '') return 'it is empty'
  if (UNWRITABLE.test(value.replaceAll('\t', ' '))) return 'it is no line of text'
  const name = key.replaceAll('/', '.')
  const range = RANGES[name]
  if (range !== undefined) return whyNoNumber(value.trim(), range)
  return name === CORE_PATTERN ? whyNoPattern(value) : undefined
}

function whyNoNumber(text: string, [min, max]: readonly [number, number]): string | undefined {
  const isNumber = /^-?\d{1,10}$/.test(text) && Number(text) >= min && Number(text) <= max
  return isNumber ? undefined : `it is no number from ${min} to ${max}`
}

function whyNoPattern(pattern: string): string | undefined {
  const bytes = Buffer.byteLength(pattern)
  const maxBytes = MAX_VALUE_BYTES[CORE_PATTERN] ?? Infinity
  if (bytes > maxBytes) return `it has ${bytes} bytes, the kernel keeps ${maxBytes}`
  if (/^(\||@+)\s*$/.test(pattern)) return 'it names no program and no socket'
  // only the kernel's own limit leaves half a specifier
  const endsInSpecifier = /(?<!%)(%%)*%$/.test(pattern)
  return endsInSpecifier && bytes < maxBytes ? 'it ends within a specifier' : undefined
}
