import { dirname } from 'node:path'
import type { Command } from './context.ts'
import { parseCommand, USAGE } from './commands/parse-command.ts'
import { type Log, logLevel, openLog } from './log/open-log.ts'
import { withEnvFile } from './settings/parse-variables.ts'
import { readSettings } from './settings/read-settings.ts'

/** Transfers are given up at once; whatever else still hangs then is not worth a SIGKILL. */
const SHUTDOWN_MS = 1500

/** The whole program but for the exit: resolves with its exit code. */
export async function main(args: string[]): Promise<number> {
  let command: Command | string
  try {
    command = parseCommand(args)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    process.stderr.write(`${why}\n${USAGE.split('\n', 1)[0]}; --help tells more\n`)
    return 2
  }
  if (typeof command === 'string') {
    process.stdout.write(command)
    return 0
  }

  const env = withEnvFile(process.env, dirname(process.argv[1] ?? ''))
  const { settings, problems } = readSettings(env)
  const log = await openLog({ level: logLevel(env), secrets: settings.secrets })
  if (problems.length > 0) log.warn({ problems }, 'settings that cannot be used as they are')
  // a daemon is meant to be ended like this; whatever else is not done
  const signal = abortOnSignal(log, args.length === 0 ? 0 : 1)
  return command({ settings, env, log, signal })
}

function abortOnSignal(log: Log, exitCode: number): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      log.info({ signal: name }, 'ending')
      controller.abort()
      setTimeout(() => process.exit(exitCode), SHUTDOWN_MS).unref()
    })
  }
  return controller.signal
}
