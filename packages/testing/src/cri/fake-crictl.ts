import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A program in the place of crictl. What it does and did is in its directory, wherever it is run. */
export interface FakeCrictl {
  readonly path: string
  /** The argument list of each call, in order. */
  calls(): readonly string[]
  /** From now on it hangs when called with this verb, or with any. */
  hang(verb?: string): void
  /** Of its processes that hang. */
  pids(): readonly number[]
  /** Puts it into another directory, in place of the one there. */
  deploy(directory: string): void
}

/** A crictl that runs the sh code given for the first word of its arguments, after `-c FILE`. */
export function fakeCrictl(dir: string, answers: Readonly<Record<string, string>>): FakeCrictl {
  mkdirSync(dir, { recursive: true })
  const path = join(dir, 'crictl')
  const file = (name: string): string => join(dir, `crictl-${name}`)
  const cases = Object.entries(answers).map(([verb, code]) => `${verb})\n${code}\n;;`)
  const script = [
    '#!/bin/sh',
    `echo "$*" >> '${file('calls')}'`,
    '[ "$1" = -c ] && shift 2',
    `if [ -e '${file('hangs')}' ] || [ -e "${file('hangs')}-$1" ]; then`,
    `echo $$ >> '${file('pids')}'; sleep 60`,
    'fi',
    'case "$1" in',
    ...cases,
    '*) echo "FATA[0000] unknown command" >&2; exit 1;;',
    'esac',
  ]
  writeFileSync(path, `${script.join('\n')}\n`, { mode: 0o755 })
  return {
    path,
    calls: () => linesOf(file('calls')),
    hang: (verb) => writeFileSync(file(verb === undefined ? 'hangs' : `hangs-${verb}`), ''),
    pids: () => linesOf(file('pids')).map(Number),
    deploy: (directory) => {
      const target = join(directory, 'crictl')
      // the one there may be running
      rmSync(target, { force: true })
      copyFileSync(path, target)
    },
  }
}

/** sh code that prints `value`: a text as it is, anything else as JSON. */
export function prints(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return `cat <<'EOF'\n${text}\nEOF`
}

function linesOf(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(0, -1)
  } catch {
    return []
  }
}
