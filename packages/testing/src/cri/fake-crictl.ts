import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface FakeCrictl {
  readonly path: string
  /** The argument list of each call, in order. */
  calls(): Promise<readonly string[]>
}

/** A crictl that runs the sh code given for the first word of its arguments, after `-c FILE`. */
export function fakeCrictl(dir: string, answers: Readonly<Record<string, string>>): FakeCrictl {
  mkdirSync(dir, { recursive: true })
  const path = join(dir, 'crictl')
  const log = join(dir, 'crictl-calls')
  const cases = Object.entries(answers).map(([name, code]) => `${name})\n${code}\n;;`)
  const script = [
    '#!/bin/sh',
    `echo "$*" >> '${log}'`,
    '[ "$1" = -c ] && shift 2',
    'case "$1" in',
    ...cases,
    '*) echo "FATA[0000] unknown command" >&2; exit 1;;',
    'esac',
  ]
  writeFileSync(path, `${script.join('\n')}\n`)
  chmodSync(path, 0o755)
  const calls = async (): Promise<readonly string[]> =>
    (await readFile(log, 'utf8').catch(() => '')).split('\n').slice(0, -1)
  return { path, calls }
}

/** sh code that prints `value` as JSON. */
export function prints(value: unknown): string {
  return `cat <<'EOF'\n${JSON.stringify(value)}\nEOF`
}
