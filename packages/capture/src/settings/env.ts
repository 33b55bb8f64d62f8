import { COMPOSER_SETTINGS, type ComposerSettingName } from './schema.ts'

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
