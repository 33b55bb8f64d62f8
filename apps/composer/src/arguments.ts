import { isUtf8 } from 'node:buffer'
import { readFileSync } from 'node:fs'
import type { Warning } from '@core-dump-handler/bundle'
import { type Crash, createCrash, type Warnings } from '@core-dump-handler/capture'

// every flag that has a value, by its long name; core(5) has the template characters of the kernel
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

const SWITCHES = {
  'disable-compression': 'D',
  help: '',
  version: 'V',
  'self-test': '',
} as const

type FlagName = keyof typeof FLAGS
type SwitchName = keyof typeof SWITCHES

export interface Arguments {
  /** Bytes that are not UTF-8 are U+FFFD. */
  readonly values: Readonly<Partial<Record<FlagName, string>>>
  /** The bytes themselves, of those values that are not UTF-8. */
  readonly undecoded: Readonly<Partial<Record<FlagName, Buffer>>>
  readonly switches: ReadonlySet<SwitchName>
  /** Unknown, surplus and repeated words; never a reason to lose a dump. */
  readonly warnings: readonly Warning[]
}

const VALUED = byToken(FLAGS)
const SWITCHED = byToken(SWITCHES)

/** `-x` and `--long` to the long name. */
function byToken<T extends string>(flags: Readonly<Record<T, string>>): Map<string, T> {
  const tokens = new Map<string, T>()
  for (const name in flags) {
    tokens.set(`--${name}`, name)
    if (flags[name] !== '') tokens.set(`-${flags[name]}`, name)
  }
  return tokens
}

/**
 * The command line in all forms of v9: `-x=v`, `-x v`, `-xv`, `--long=v`, `--long v`.
 * Of a repeated flag the last one counts: before Linux 5.3 a program's name could bring
 * flags of its own, and what the kernel itself reports comes last in our pattern.
 */
export function parseArguments(raw: readonly Buffer[]): Arguments {
  const values: Partial<Record<FlagName, string>> = {}
  const undecoded: Partial<Record<FlagName, Buffer>> = {}
  const switches = new Set<SwitchName>()
  const warnings: Warning[] = []
  // latin1 maps bytes to characters one to one: nothing is lost until a value is decoded
  const words = raw.map((word) => word.toString('latin1'))
  for (let at = 0; at < words.length; at++) {
    const [token, attached] = split(words[at] ?? '')
    const word = raw[at]?.toString() ?? ''
    const flag = VALUED.get(token)
    const toggle = SWITCHED.get(token)
    if (toggle !== undefined) {
      if (attached !== 'false') switches.add(toggle)
    } else if (flag === undefined) {
      warnings.push({ code: 'UNKNOWN_ARGUMENT', message: `Ignored the argument \`${word}\`` })
    } else {
      const bytes = attached === undefined ? raw[++at] : Buffer.from(attached, 'latin1')
      if (bytes === undefined) {
        warnings.push({ code: 'MISSING_VALUE', message: `Expected a value after \`${word}\`` })
        continue
      }
      if (values[flag] !== undefined) {
        warnings.push({
          code: 'REPEATED_ARGUMENT',
          message: `Took the last of several \`--${flag}\`; an earlier one was \`${values[flag]}\``,
        })
      }
      values[flag] = bytes.toString()
      if (!isUtf8(bytes)) undecoded[flag] = bytes
    }
  }
  return { values, undecoded, switches, warnings }
}

function split(word: string): [token: string, attached?: string] {
  const equals = word.indexOf('=')
  if (word.startsWith('--')) {
    return equals < 0 ? [word] : [word.slice(0, equals), word.slice(equals + 1)]
  }
  if (!word.startsWith('-') || word.length < 3) return [word]
  return [word.slice(0, 2), word.slice(word[2] === '=' ? 3 : 2)]
}

/**
 * Arguments as the kernel passed them. Node decodes argv as UTF-8 and puts U+FFFD where it
 * is not, but a comm is bytes: then they come from `/proc/self/cmdline`, the last
 * `words.length` of it. Without /proc the decoded words are used.
 */
export function rawArguments(
  words: readonly string[],
  cmdlinePath = '/proc/self/cmdline',
): readonly Buffer[] {
  if (words.some((word) => word.includes('\uFFFD'))) {
    try {
      const all = splitAtNul(readFileSync(cmdlinePath))
      if (all.length > words.length) return all.slice(-words.length)
    } catch {
      // a root without /proc: only the decoded words are known
    }
  }
  return words.map((word) => Buffer.from(word))
}

function splitAtNul(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = []
  for (let from = 0; from < bytes.length;) {
    const nul = bytes.indexOf(0, from)
    const end = nul < 0 ? bytes.length : nul
    parts.push(bytes.subarray(from, end))
    from = end + 1
  }
  return parts
}

/** What the kernel passed on the command line. */
export function crashOfArguments(args: Arguments, warnings: Warnings): Crash {
  const { values, undecoded } = args
  const number = (flag: FlagName): number | undefined => numberAfter(flag, args, warnings)
  const hostPid = number('host-pid')
  const signal = number('signal')
  return {
    ...createCrash({ signal: String(signal ?? '') }),
    limitSize: values['limit-size'] ?? '',
    exeName: values['exe-name'] ?? '',
    commBytes: undecoded['exe-name'],
    pid: values.pid ?? '',
    signal: values.signal ?? '',
    ...(values.timestamp !== undefined && { timestamp: values.timestamp }),
    kernelTimestamp: number('timestamp'),
    hostname: values.hostname ?? '',
    pathname: values.pathname ?? '',
    // 0: the process is outside of our pid namespace
    hostPid: hostPid === 0 ? undefined : hostPid,
    hostTid: number('host-tid'),
    innerPid: number('pid'),
    uid: number('uid'),
    gid: number('gid'),
    dumpMode: number('dump-mode'),
    pidfd: number('pidfd'),
  }
}

/** The number after a flag; undefined, with a warning, when it is none. */
export function numberAfter(
  flag: FlagName,
  { values }: Arguments,
  warnings: Warnings,
  valid: RegExp = /^\d{1,10}$/,
): number | undefined {
  const text = values[flag]
  if (text === undefined || text === '') return undefined
  if (valid.test(text)) return Number(text)
  warnings.add('BAD_ARGUMENT', `Expected a number after \`--${flag}\`, got \`${text}\``)
  return undefined
}
