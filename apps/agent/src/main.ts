import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { logLevel } from './log/level.ts'
import { openLog, type Log } from './log/open-log.ts'
import { redactor } from './log/redact.ts'
import { remove } from './remove.ts'
import { run } from './run.ts'
import { withEnvFile } from './settings/env-file.ts'
import { readSettings } from './settings/read-settings.ts'
import type { AgentSettings } from './settings/settings.ts'
import { status } from './status.ts'
import { sweep } from './sweep.ts'
import { USAGE } from './usage.ts'

/** Transfers are given up at once; whatever else still hangs then is not worth a SIGKILL. */
const SHUTDOWN_MS = 1500

type Command = (settings: AgentSettings, log: Log, signal: AbortSignal) => Promise<number>

/** What the arguments ask for; never a daemon by mistake: a mistyped `remove` must not take a node over. */
function parse(args: string[]): Command | string {
  const options = {
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean', short: 'v' },
  } as const
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true })
  if (values.help) return USAGE
  if (values.version) return `${version()}\n`
  const [command, ...operands] = positionals
  if (command === 'sweep') return (settings, log, signal) => sweep(settings, operands, log, signal)
  if (operands.length > 0) throw new TypeError(`\`${command}\` takes no operands`)
  if (command === 'remove') return remove
  if (command === 'status') return printStatus
  if (command === undefined) return run
  throw new TypeError(`Unknown command \`${command}\``)
}

/** The whole program but for the exit: resolves with its exit code. */
export async function main(args: string[]): Promise<number> {
  let command: Command | string
  try {
    command = parse(args)
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
  return command(settings, log, abortOnSignal(log, command === run ? 0 : 1))
}

/** Exit code 1 when something is not as it should be. */
async function printStatus(
  settings: AgentSettings,
  _log: Log,
  signal: AbortSignal,
): Promise<number> {
  const lines = await status(settings, signal)
  const redact = redactor(settings.secrets)
  for (const { ok, text } of lines)
    process.stdout.write(redact(`${ok ? 'ok    ' : 'not ok'}  ${text}\n`))
  return lines.every(({ ok }) => ok) ? 0 : 1
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

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return String((JSON.parse(text) as { version: unknown }).version)
}
