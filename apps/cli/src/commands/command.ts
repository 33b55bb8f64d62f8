import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { ParseArgsOptionsConfig } from 'node:util'
import * as v from 'valibot'
import type { Arguments } from '../arguments/parse-arguments.ts'
import { show, type Output } from '../output/output.ts'
import { openStore, type StoreOptions } from '../store/open-store.ts'
import type { Store } from '../store/store.ts'
import { CliError, codeOf, messageOf } from '../error.ts'

export const LOCATION_HELP = `Location:
  s3://BUCKET/PREFIX or file:/DIRECTORY, anywhere on the command line; else the
  variable CDH_STORE; else {"store": "…"} in ~/.config/cdh.json, with "endpoint"
  and "region" if needed. Credentials are found as by the aws command.
  --endpoint URL      of a store that is not AWS
  --region REGION     of the bucket`
export const ID_HELP = `ID is the uuid of a crash or its beginning, the name of its object, or "latest"; the
address of an object, such as s3://BUCKET/PREFIX/NAME.zip, is ID and location in one.`
const CONFIG = v.strictObject({
  store: v.exactOptional(v.string()),
  endpoint: v.exactOptional(v.string()),
  region: v.exactOptional(v.string()),
})

export type Environment = Readonly<Record<string, string | undefined>>

/** What a command gets from the process. */
export interface CommandContext {
  readonly args: Arguments
  readonly env: Environment
  readonly output: Output
}

export interface Command {
  /** Everything that `--help` prints. */
  readonly usage: string
  readonly options: ParseArgsOptionsConfig
  /** What follows `--` is for another program. @default false: nothing may follow */
  readonly takesRest?: boolean
  /** Resolves with the exit code. */
  run(context: CommandContext): Promise<number>
}

/** Runs `action` with the store that the command line names, and closes it. */
export async function withStore(
  { args, env }: CommandContext,
  action: (store: Store) => Promise<number>,
): Promise<number> {
  const { url, ...options } = findLocation(args.location, args.storeOptions, env)
  const store = await openStore(url, options)
  try {
    return await action(store)
  } finally {
    store.close()
  }
}

interface Location extends StoreOptions {
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
