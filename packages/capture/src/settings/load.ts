import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { errorCode, errorMessage } from '../text.ts'
import type { Warnings } from '../warnings.ts'
import {
  type BadSetting,
  COMPOSER_SETTINGS,
  type ComposerSettingName,
  type ComposerSettings,
  parseComposerSettings,
} from './schema.ts'

const MAX_BYTES = 64 * 1024
const LINE = /^\s*(#|$|(export\s+)?[A-Za-z_]\w*\s*=)/

/** The settings of a run: of the environment, else of `<home>/.env`, else defaults. */
export function loadSettings(
  home: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
  warnings: Warnings,
): ComposerSettings {
  const file = home === undefined ? {} : readEnvFile(join(home, '.env'), warnings)
  const { settings, bad } = parseComposerSettings({ ...file, ...environment })
  if (bad.length > 0) {
    warnings.add('BAD_SETTINGS', `Took the default of ${bad.map(describe).join('; of ')}`)
  }
  return settings
}

function describe({ name, value, expected, defaultValue }: BadSetting): string {
  return `${name}, \`${defaultValue}\`: ${expected}, got \`${value.slice(0, 100)}\``
}

/** At most `MAX_BYTES`; a FIFO in its place is not waited for, as a process is held meanwhile. */
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

function readEnvFile(path: string, warnings: Warnings): Record<string, string | undefined> {
  let text: string
  try {
    text = readText(path)
  } catch (error) {
    // every setting has a default
    if (errorCode(error) !== 'ENOENT') {
      warnings.add('SETTINGS_UNREADABLE', `Took defaults: ${errorMessage(error)}`)
    }
    return {}
  }
  const odd = text.split('\n').findIndex((line) => !LINE.test(line))
  if (odd >= 0) {
    warnings.add(
      'SETTINGS_MALFORMED',
      `Line ${odd + 1} of \`${path}\` is no \`NAME=value\` and was ignored`,
    )
  }
  return parseEnv(text)
}

/**
 * The text of `.env`: one `NAME=value` line per setting, the twelve of v9 first and in its order,
 * defaults where `values` has none. It reads back as it was given.
 */
export function formatComposerEnv(
  values: Readonly<Partial<Record<ComposerSettingName, string>>> = {},
): string {
  return COMPOSER_SETTINGS.map(
    ({ name, defaultValue }) => `${name}=${quote(clean(values[name] ?? defaultValue))}\n`,
  ).join('')
}

/** A line break in a value would start another setting. */
function clean(value: string): string {
  const line = value.replaceAll(/\p{Cc}+/gu, ' ').trim()
  return /^(true|false)$/i.test(line) ? line.toLowerCase() : line
}

/** v9 quotes nothing; a reader of `.env` needs it where `#` or a quote is in the value. */
function quote(value: string): string {
  if (!/[#'"`]/.test(value)) return value
  const mark = ["'", '"', '`'].find((one) => !value.includes(one))
  // all three quotes in one value cannot be expressed: replace the rarest
  return mark === undefined ? `\`${value.replaceAll('`', "'")}\`` : `${mark}${value}${mark}`
}
