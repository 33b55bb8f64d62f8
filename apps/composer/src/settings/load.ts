import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { messageOf } from '../log/message-of.ts'
import type { Problems } from '../log/problems.ts'
import { type BadSetting, parseComposerSettings } from './parse.ts'
import type { ComposerSettings } from './settings.ts'

const MAX_BYTES = 64 * 1024
const LINE = /^\s*(#|$|(export\s+)?[A-Za-z_]\w*\s*=)/

/** The settings of a run: `<home>/.env`, variables of the environment before it, else defaults. */
export function loadSettings(
  home: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
  problems: Problems,
): ComposerSettings {
  const file = home === undefined ? {} : readEnvFile(join(home, '.env'), problems)
  const { settings, bad } = parseComposerSettings({ ...file, ...environment })
  if (bad.length > 0) {
    problems.add('BAD_SETTINGS', `Took the default of ${bad.map(describe).join('; of ')}`)
  }
  return settings
}

function describe({ name, value, expected, defaultValue }: BadSetting): string {
  return `${name}, \`${defaultValue}\`: ${expected}, got \`${value.slice(0, 100)}\``
}

/** At most `MAX_BYTES`; a FIFO in its place is not waited for, because a process is held meanwhile. */
function readText(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    if (!fstatSync(fd).isFile()) throw new Error(`\`${path}\` is not a regular file`)
    const bytes = Buffer.alloc(MAX_BYTES)
    return bytes.toString('utf8', 0, readSync(fd, bytes))
  } finally {
    closeSync(fd)
  }
}

function readEnvFile(path: string, problems: Problems): Record<string, string | undefined> {
  let text: string
  try {
    text = readText(path)
  } catch (error) {
    // a home without settings is fine: every setting has a default
    const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (!absent) problems.add('SETTINGS_UNREADABLE', `Took defaults: ${messageOf(error)}`)
    return {}
  }
  const odd = text.split('\n').findIndex((line) => !LINE.test(line))
  if (odd >= 0) {
    problems.add(
      'SETTINGS_MALFORMED',
      `Line ${odd + 1} of \`${path}\` is no \`NAME=value\` and was ignored`,
    )
  }
  return parseEnv(text)
}
