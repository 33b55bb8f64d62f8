import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { isSea } from 'node:sea'

interface Invocation {
  readonly execPath: string
  /** Second word of the command line: the script, where Node runs one. */
  readonly script: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * The directory with `.env`, `crictl`, `crictl.yaml`, `composer.log` and `events`: COMPOSER_HOME,
 * else that of the program when it is installed as `cdc`; undefined when a person starts it.
 */
export function findHome({ execPath, script, env }: Invocation): string | undefined {
  const given = env['COMPOSER_HOME']
  if (given !== undefined && given !== '') return resolve(given)
  const installed = [execPath, script].find(
    (path) => path !== undefined && basename(path) === 'cdc',
  )
  return installed === undefined ? undefined : dirname(resolve(installed))
}

/**
 * koffi's native module, for `drain`: of the self-contained executable among its libraries, of an
 * installed script beside it; undefined for a script of the npm package, which has its own.
 */
export function koffiPath(script: string | undefined): string | undefined {
  if (isSea()) return 'koffi.node'
  const beside = join(dirname(script ?? '/'), 'koffi.node')
  return existsSync(beside) ? beside : undefined
}

declare const COMPOSER_VERSION: string | undefined

/** Version of this package; put into the single file when that is built. */
export function composerVersion(): string {
  if (typeof COMPOSER_VERSION === 'string') return COMPOSER_VERSION
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const manifest: unknown = JSON.parse(text)
  const isNamed = typeof manifest === 'object' && manifest !== null && 'version' in manifest
  return isNamed ? String(manifest.version) : 'unknown'
}
