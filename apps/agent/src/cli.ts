#!/usr/bin/env node
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import type { Command } from './context.ts'
import { messageOf } from './error.ts'
import { type Log, logLevel, openLog } from './log/open-log.ts'
import { readSettings } from './settings/read-settings.ts'
import { withEnvFile } from './settings/variables.ts'
import { agentVersion } from './version.ts'

/** Uploads stop at once; the process does not wait longer for anything else that hangs. */
const SHUTDOWN_MS = 1500

/** The whole program except its exit: resolves with the exit code. */
async function main(args: string[]): Promise<number> {
  let command: Command | string
  try {
    command = parseCommand(args)
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n${USAGE.split('\n', 1)[0]}; see --help\n`)
    return 2
  }
  if (typeof command === 'string') {
    process.stdout.write(command)
    return 0
  }

  const env = withEnvFile(process.env, dirname(process.argv[1] ?? ''))
  const { settings, problems } = readSettings(env)
  const log = await openLog({ level: logLevel(env), secrets: settings.secrets })
  if (problems.length > 0)
    log.warn(
      { problems },
      'settings that cannot be used as given: see each for what is used instead',
    )
  // a signal is the normal end of the daemon; any other command is not done then
  const signal = abortOnSignal(log, args.length === 0 ? 0 : 1)
  return command({ settings, env, log, signal })
}

function abortOnSignal(log: Log, exitCode: number): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      log.info({ signal: name }, 'ending on a signal')
      controller.abort()
      setTimeout(() => process.exit(exitCode), SHUTDOWN_MS).unref()
    })
  }
  return controller.signal
}

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
  'if-uninstalling': { type: 'boolean' },
  follow: { type: 'boolean', short: 'f' },
  lines: { type: 'string', short: 'n' },
} as const

const DEFAULT_LOG_LINES = 100

/**
 * The command that the arguments name, or a text to print. Never the daemon by mistake: a
 * mistyped `remove` must not change the node.
 * @throws TypeError in words for the user
 */
function parseCommand(args: string[]): Command | string {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true })
  if (values.help) return USAGE
  if (values.version) return `${agentVersion()}\n`

  const [name, ...operands] = positionals
  const ifUninstalling = values['if-uninstalling'] === true
  if (ifUninstalling && name !== 'remove') {
    throw new TypeError('`--if-uninstalling` goes with `remove`')
  }
  const { follow = false, lines } = values
  if ((follow || lines !== undefined) && name !== 'logs') {
    throw new TypeError('`--follow` and `--lines` go with `logs`')
  }
  if (lines !== undefined && !/^\d{1,7}$/.test(lines)) {
    throw new TypeError(`\`--lines\` needs a number of lines, and got \`${lines}\``)
  }
  if (operands.length > 0 && name !== 'sweep' && name !== 'crash-now') {
    throw new TypeError(`\`${name}\` takes no operands`)
  }
  if (name === 'logs') {
    const options = { follow, lines: Number(lines ?? DEFAULT_LOG_LINES) }
    return async (context) => (await import('./commands/logs.ts')).logs(context, options)
  }
  return find(name, operands, ifUninstalling)
}

/** Each command loads only what it needs: `remove` has seconds, and does not need the SDK. */
function find(name: string | undefined, operands: string[], ifUninstalling: boolean): Command {
  switch (name) {
    case undefined:
      return async (context) => (await import('./commands/run.ts')).run(context)
    case 'sweep':
      return async (context) => (await import('./commands/sweep.ts')).sweep(context, operands)
    case 'remove':
      return ifUninstalling
        ? async (context) => (await import('./commands/remove.ts')).removeIfUninstalling(context)
        : async (context) => (await import('./commands/remove.ts')).remove(context)
    case 'status':
      return async (context) => (await import('./commands/status.ts')).status(context)
    case 'test-crash':
      return async (context) => (await import('./commands/test-crash.ts')).testCrash(context)
    case 'crash-now':
      return async () => (await import('./canary/let-crash.ts')).crashNow(operands[0] ?? 'canary')
    default:
      throw new TypeError(`Unknown command \`${name}\``)
  }
}

/** Text of `--help`. */
const USAGE = `Usage: core-dump-agent [sweep [FILE...] | remove | status | logs | test-crash]

Sets kernel.core_pattern so that every crash becomes a bundle, and uploads bundles to object storage.

Commands
  (none)           prepare the node, then upload bundles until SIGTERM
  sweep            upload every bundle in CORE_DIR once; exit code 1 if one could not be uploaded
  sweep FILE...    upload these files (names or globs) instead
  remove           restore the node as it was found; bundles and events stay
    --if-uninstalling   only if the DaemonSet of this pod is being uninstalled (preStop)
  status           print what is set up on this node and which bundles wait
  logs             print the last lines of the composer's log on this node
    -n, --lines N       how many lines (100)
    -f, --follow        print added lines too, until SIGTERM or SIGINT
  test-crash       let a process crash and wait until its bundle is in the store

Options
  -h, --help       print this text
  -v, --version    print the version

Settings are environment variables; a .env beside the program is read first, and variables win over it.
  HOST_DIR         directory on the node for the composer and its settings
                   (/var/mnt/core-dump-handler)
  CORE_DIR         where bundles wait (/var/mnt/core-dump-handler/cores)
  DESTINATION      s3://bucket/prefix or file:/directory; or S3_BUCKET_NAME, S3_PREFIX
  S3_ACCESS_KEY, S3_SECRET, S3_REGION, S3_ENDPOINT, S3_CA_FILE, ...
  INTERVAL         look for bundles each so many milliseconds; wins over SCHEDULE
  SCHEDULE         a cron expression of six fields, seconds first, UTC; wins over USE_INOTIFY
  USE_INOTIFY      true: upload each bundle as soon as it is written
  COMP_...         settings of the composer, such as COMP_TIMEOUT
All of them are in the README of @core-dump-handler/agent.
`

process.exitCode = await main(process.argv.slice(2))
