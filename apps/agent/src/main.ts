import { dirname } from 'node:path'
import { messageOf } from './error.ts'
import type { Command } from './context.ts'
import { parseCommand, USAGE } from './commands/parse-command.ts'
import { type Log, logLevel, openLog } from './log/open-log.ts'
import { withEnvFile } from './settings/parse-variables.ts'
import { readSettings } from './settings/read-settings.ts'

/** Uploads stop at once; the process does not wait longer for anything else that hangs. */
const SHUTDOWN_MS = 1500

/** The whole program except its exit: resolves with the exit code. */
export async function main(args: string[]): Promise<number> {
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
