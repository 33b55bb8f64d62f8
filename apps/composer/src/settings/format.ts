import { COMPOSER_SETTINGS } from './names.ts'
import type { ComposerSettingName } from './settings.ts'

/**
 * The text of the composer's `.env`: one `NAME=value` line per setting, version 9's twelve
 * first and in its order, defaults where `values` has none. It reads back as it was given.
 */
export function formatComposerEnv(
  values: Readonly<Partial<Record<ComposerSettingName, string>>> = {},
): string {
  return COMPOSER_SETTINGS.map(
    ({ name, defaultValue }) => `${name}=${quote(clean(values[name] ?? defaultValue))}\n`,
  ).join('')
}

/** A line break would start a line of the value's own choosing. */
function clean(value: string): string {
  const line = value.replaceAll(/\p{Cc}+/gu, ' ').trim()
  return /^(true|false)$/i.test(line) ? line.toLowerCase() : line
}

/** Version 9 quotes nothing; a reader of `.env` needs it where `#` or a quote is in the value. */
function quote(value: string): string {
  if (!/[#'"`]/.test(value)) return value
  const mark = ["'", '"', '`'].find((one) => !value.includes(one))
  // all three kinds in one value cannot be written down: give up the rarest
  return mark === undefined ? `\`${value.replaceAll('`', "'")}\`` : `${mark}${value}${mark}`
}
