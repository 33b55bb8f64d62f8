/** Every flag by its long name; the kernel's template character is in core(5). */
export const FLAGS = {
  'limit-size': 'c',
  'exe-name': 'e',
  pid: 'p',
  signal: 's',
  timestamp: 't',
  dir: 'd',
  hostname: 'h',
  pathname: 'E',
  timeout: 'T',
  'test-threads': '',
  'host-pid': 'P',
  'host-tid': 'I',
  uid: 'u',
  gid: 'g',
  'dump-mode': 'M',
  pidfd: 'F',
} as const

/** Flags that need no value. */
export const SWITCHES = {
  'disable-compression': 'D',
  help: '',
  version: 'V',
  'self-test': '',
} as const

export type FlagName = keyof typeof FLAGS
export type SwitchName = keyof typeof SWITCHES

/** `-x` and `--long` to the long name. */
export function flagsByToken<T extends string>(flags: Readonly<Record<T, string>>): Map<string, T> {
  const tokens = new Map<string, T>()
  for (const [name, short] of Object.entries<string>(flags)) {
    tokens.set(`--${name}`, name as T)
    if (short !== '') tokens.set(`-${short}`, name as T)
  }
  return tokens
}
