import type { Random } from './random.ts'

/** Where it begins a line of a log, that line is the attacker's. */
export const FORGED = 'forged by the crasher'

/** What has broken parsers, paths, logs and terminals before. */
const NASTY: readonly string[] = [
  '',
  ' ',
  '.',
  '..',
  '...',
  '../../x',
  '../'.repeat(5) + 'outside/precious',
  '/etc/passwd',
  './/x',
  '!usr!bin!x',
  '\n',
  '\r\n',
  '\t\v\f',
  '\u0000',
  '\u007f\u009b31m',
  '\u001b]0;x\u0007',
  `\nERROR - 2026-01-01T00:00:00.000Z - ${FORGED}\n`,
  `\r\n{"level":"error","msg":"${FORGED}"}\n`,
  '"',
  '","signal":"0',
  '\\',
  '\\u0000',
  "'",
  '`$(id)`',
  '$HOME',
  '%s%n%p',
  '%2e%2e%2f',
  '{uuid}',
  '{nope}',
  '{uuid',
  '\\{',
  '{{}}',
  '{ uuid | unescaped }',
  '#',
  '=',
  'A=B',
  '-',
  '--',
  '-x',
  '--help=',
  '\u2028',
  '\u2029',
  '\u202egpj.exe',
  '\u200b',
  '\ufeff',
  '\ufffd',
  '\ud800',
  '\u{1f600}',
  'e\u0301'.repeat(30),
  'CON',
  'C:\\x',
  'a:b',
  '*?[]',
  '<a&b>',
  '__proto__',
  'constructor',
  'toString',
  'null',
  'undefined',
  'NaN',
  'Infinity',
  '0',
  '-0',
  '-1',
  '1e309',
  '0x10',
  '4294967296',
  '9007199254740993',
  '9'.repeat(400),
  'true',
  'x'.repeat(255),
  'é'.repeat(127),
  'x'.repeat(5000),
  'x.zip',
  '.zip',
  'x.part',
  'a'.repeat(64),
]

/** A hostile text; may hold NUL and lone surrogates. */
export function text(random: Random): string {
  switch (random.below(6)) {
    case 0:
      return random.times(1 + random.below(4), () => random.pick(NASTY)).join('')
    case 1:
      return String.fromCodePoint(
        ...random.times(random.below(40), () => random.below(random.pick([128, 0x800, 0x10_ffff]))),
      )
    case 2:
      return random.bytes(random.below(40)).toString('latin1')
    case 3:
      return random.pick(['web', 'nginx-7f9', 'java', 'python3.12']) + random.pick(NASTY)
    default:
      return random.pick(NASTY)
  }
}

/** A hostile text as a command line, a file or an environment can hold it: no NUL, as bytes. */
export function word(random: Random, maxBytes: number = 4096): Buffer {
  const bytes = random.once(3) ? random.bytes(random.below(32)) : Buffer.from(text(random))
  // cut anywhere, also within a character
  const length = random.once(4) ? random.below(bytes.length + 1) : bytes.length
  return Buffer.from(bytes.subarray(0, Math.min(length, maxBytes)).filter((byte) => byte !== 0))
}
