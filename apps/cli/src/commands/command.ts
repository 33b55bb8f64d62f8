import type { ParseArgsOptionsConfig } from 'node:util'
import type { Arguments } from '../arguments/parse-arguments.ts'
import type { Output } from '../output/output.ts'
import { type Environment, findLocation } from '../settings/find-location.ts'
import { openStore } from '../store/open-store.ts'
import type { Store } from '../store/store.ts'

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

export const LOCATION_HELP = `Location:
  s3://BUCKET/PREFIX or file:/DIRECTORY, anywhere on the command line; else the
  variable CDH_STORE; else {"store": "…"} in ~/.config/cdh.json, with "endpoint"
  and "region" if needed. Credentials are found as by the aws command.
  --endpoint URL      of a store that is not AWS
  --region REGION     of the bucket`

export const ID_HELP = `ID is the uuid of a crash or its beginning, the name of its object, or "latest".`
