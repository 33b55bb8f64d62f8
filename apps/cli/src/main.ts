import { type Command } from './commands/command.ts'
import { parseArguments } from './arguments/parse-arguments.ts'
import { debug } from './commands/debug.ts'
import { fetch } from './commands/fetch.ts'
import { groups } from './commands/groups.ts'
import { list } from './commands/list.ts'
import { report } from './commands/report.ts'
import { show } from './commands/show.ts'
import { verify } from './commands/verify.ts'
import { CliError, EXIT, messageOf } from './error.ts'
import { escapeName, show as quote } from './output/escape.ts'
import type { Output } from './output/output.ts'
import type { Environment } from './settings/find-location.ts'
import { cliVersion } from './version.ts'

const COMMANDS: ReadonlyMap<string, Command> = new Map(
  Object.entries({ list, groups, show, fetch, verify, debug, report }),
)

/** The whole program except its exit: resolves with the exit code. */
export async function main(
  args: readonly string[],
  env: Environment,
  output: Output,
): Promise<number> {
  try {
    return await run(args, env, output)
  } catch (error) {
    if (!(error instanceof CliError)) throw error
    output.note(`cdh: ${escapeName(messageOf(error))}`)
    if (error.code !== 'USAGE') return EXIT.failed
    const command = args.find((name) => COMMANDS.has(name))
    output.note(`See \`cdh ${command === undefined ? '' : `${command} `}--help\`.`)
    return EXIT.usage
  }
}

async function run(args: readonly string[], env: Environment, output: Output): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    output.print(usage())
    return name === undefined ? EXIT.usage : EXIT.ok
  }
  if (name === '--version') {
    output.print(cliVersion())
    return EXIT.ok
  }
  const command = COMMANDS.get(name)
  if (command === undefined) throw new CliError('USAGE', `Unknown command ${quote(name)}`)
  const parsed = parseArguments(rest, command.options)
  if (parsed.flag('help')) {
    output.print(command.usage.trimEnd())
    return EXIT.ok
  }
  return command.run({ args: parsed, env, output })
}

function usage(): string {
  const commands = [...COMMANDS].map(([name, { summary }]) => `  ${name.padEnd(8)} ${summary}`)
  return [
    'Usage: cdh COMMAND [ARGUMENTS]',
    '',
    'Core dumps that core-dump-handler stored in a bucket, for the person who debugs.',
    '',
    ...commands,
    '',
    'Each has --help and --json. Exit codes: 0 done, 1 failed, 2 usage, of verify also',
    `${EXIT.damaged} damaged and ${EXIT.incomplete} incomplete; debug ends with the debugger's.`,
  ].join('\n')
}
