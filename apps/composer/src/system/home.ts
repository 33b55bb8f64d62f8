import { basename, dirname, resolve } from 'node:path'

export interface Invocation {
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
