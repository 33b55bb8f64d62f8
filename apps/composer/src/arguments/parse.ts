import { isUtf8 } from 'node:buffer'
import type { Warning } from '@core-dump-handler/bundle'
import { FLAGS, type FlagName, SWITCHES, type SwitchName, flagsByToken } from './flags.ts'

export interface Arguments {
  /** Bytes that are not UTF-8 are U+FFFD. */
  readonly values: Readonly<Partial<Record<FlagName, string>>>
  /** The bytes themselves, of those values that are not UTF-8. */
  readonly undecoded: Readonly<Partial<Record<FlagName, Buffer>>>
  readonly switches: ReadonlySet<SwitchName>
  /** Unknown, surplus and repeated words; never a reason to lose a dump. */
  readonly problems: readonly Warning[]
}

const VALUED = flagsByToken(FLAGS)
const SWITCHED = flagsByToken(SWITCHES)

/**
 * The command line in all forms of version 9: `-x=v`, `-x v`, `-xv`, `--long=v`, `--long v`.
 * Of a repeated flag the last one counts: before Linux 5.3 a program's name could bring
 * flags of its own, and what the kernel says itself comes last in our pattern.
 */
export function parseArguments(raw: readonly Buffer[]): Arguments {
  const values: Partial<Record<FlagName, string>> = {}
  const undecoded: Partial<Record<FlagName, Buffer>> = {}
  const switches = new Set<SwitchName>()
  const problems: Warning[] = []
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
      problems.push({ code: 'UNKNOWN_ARGUMENT', message: `Ignored the argument \`${word}\`` })
    } else {
      const bytes = attached === undefined ? raw[++at] : Buffer.from(attached, 'latin1')
      if (bytes === undefined) {
        problems.push({ code: 'MISSING_VALUE', message: `Expected a value after \`${word}\`` })
        continue
      }
      if (values[flag] !== undefined) {
        problems.push({
          code: 'REPEATED_ARGUMENT',
          message: `Took the last of several \`--${flag}\`; an earlier one was \`${values[flag]}\``,
        })
      }
      values[flag] = bytes.toString()
      if (!isUtf8(bytes)) undecoded[flag] = bytes
    }
  }
  return { values, undecoded, switches, problems }
}

function split(word: string): [token: string, attached?: string] {
  const equals = word.indexOf('=')
  if (word.startsWith('--')) {
    return equals < 0 ? [word] : [word.slice(0, equals), word.slice(equals + 1)]
  }
  if (!word.startsWith('-') || word.length < 3) return [word]
  return [word.slice(0, 2), word.slice(word[2] === '=' ? 3 : 2)]
}
