import { readFileSync } from 'node:fs'

declare const COMPOSER_VERSION: string | undefined

/** Version of this package; put into the single file when that is built. */
export function composerVersion(): string {
  if (typeof COMPOSER_VERSION === 'string') return COMPOSER_VERSION
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const manifest: unknown = JSON.parse(text)
  const isNamed = typeof manifest === 'object' && manifest !== null && 'version' in manifest
  return isNamed ? String(manifest.version) : 'unknown'
}
