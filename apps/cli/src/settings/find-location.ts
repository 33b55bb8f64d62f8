import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import { CliError, codeOf, messageOf } from '../error.ts'
import { show } from '../output/escape.ts'
import type { StoreOptions } from '../store/open-store.ts'

const CONFIG = v.strictObject({
  store: v.exactOptional(v.string()),
  endpoint: v.exactOptional(v.string()),
  region: v.exactOptional(v.string()),
})

export type Environment = Readonly<Record<string, string | undefined>>

export interface Location extends StoreOptions {
  readonly url: string
}

/**
 * Where the bundles are: the argument, else `CDH_STORE`, else the config file, whose endpoint and region
 * count for its own store only.
 *
 * @throws CliError `USAGE` when it is nowhere, or the config file is not valid
 */
export function findLocation(
  argument: string | undefined,
  options: StoreOptions,
  env: Environment,
): Location {
  const given = argument ?? nonEmpty(env['CDH_STORE'])
  const { store, ...configured } = given === undefined ? readConfig(env) : {}
  const url = given ?? store
  if (url === undefined) {
    const message = `No location: give one such as \`s3://bucket/prefix\`, set CDH_STORE, or write {"store": "…"} to ${show(configPath(env))}`
    throw new CliError('USAGE', message)
  }
  // the SDK reads these too; here they decide how the bucket is addressed
  const endpoint = nonEmpty(env['AWS_ENDPOINT_URL_S3']) ?? nonEmpty(env['AWS_ENDPOINT_URL'])
  return { url, ...(endpoint !== undefined && { endpoint }), ...configured, ...options }
}

function readConfig(env: Environment): v.InferOutput<typeof CONFIG> {
  const path = configPath(env)
  try {
    return v.parse(CONFIG, JSON.parse(readFileSync(path, 'utf8')))
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return {}
    const message = `Cannot use the config file ${show(path)}: ${messageOf(cause)}; it has "store", and if needed "endpoint" and "region"`
    throw new CliError('USAGE', message, { cause })
  }
}

function configPath(env: Environment): string {
  return join(nonEmpty(env['XDG_CONFIG_HOME']) ?? join(homeOf(env), '.config'), 'cdh.json')
}

/** Where downloads are kept that can be made again: `$XDG_CACHE_HOME/cdh`, else `~/.cache/cdh`. */
export function cachePath(env: Environment): string {
  return join(nonEmpty(env['XDG_CACHE_HOME']) ?? join(homeOf(env), '.cache'), 'cdh')
}

function homeOf(env: Environment): string {
  return nonEmpty(env['HOME']) ?? homedir()
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
