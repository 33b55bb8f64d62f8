import { readFileSync } from 'node:fs'

declare const COMPOSER_VERSION: string | undefined

/** Version of this package; put into the single file when that is built. */
export function composerVersion(): string {
  if (typeof COMPOSER_VERSION === 'string') return COMPOSER_VERSION
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
