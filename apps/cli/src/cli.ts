import { readFileSync } from 'node:fs'
import process from 'node:process'
import * as v from 'valibot'
import { codeOf, CliError, EXIT, messageOf } from './error.ts'
import { Output, escapeName, show } from './output/output.ts'
import type { Command, Environment } from './commands/command.ts'
import { parseArguments } from './arguments/parse-arguments.ts'

interface Listed {
  /** One line for the list of commands. */
  readonly summary: string
  /** A command's code is read when it is called: the SDK, the demangler and the unwinder are not needed for a help. */
  load(): Promise<Command>
}

const COMMANDS: ReadonlyMap<string, Listed> = new Map(
  Object.entries<Listed>({
    list: {
      summary: 'one line per crash, the latest last',
      load: async () => (await import('./commands/list.ts')).list,
    },
    groups: {
      summary: 'one line per fingerprint: how often, since when, where',
      load: async () => (await import('./commands/groups.ts')).groups,
    },
    show: {
      summary: 'what crashed, whose it was, the stacks, the end of the log',
      load: async () => (await import('./commands/show.ts')).show,
    },
    fetch: {
      summary: 'the bundle, its core or its minicore as a file',
      load: async () => (await import('./commands/fetch.ts')).fetch,
    },
    verify: {
      summary: 'reads every byte of a bundle, or of all, and compares CRC, sizes, manifest',
      load: async () => (await import('./commands/verify.ts')).verify,
    },
    debug: {
      summary: 'gdb or lldb with the core and the right binaries',
      load: async () => (await import('./commands/debug.ts')).debug,
    },
    report: {
      summary: 'the report of a core file on this machine',
      load: async () => (await import('./commands/report.ts')).report,
    },
  }),
)

/** The whole program except its exit: resolves with the exit code. */
async function main(args: readonly string[], env: Environment, output: Output): Promise<number> {
  try {
    return await run(args, env, output)
  } catch (error) {
    // what the system refuses is no fault of the program; anything else keeps its stack
    if (!(error instanceof CliError) && codeOf(error) === undefined) throw error
    output.note(`cdh: ${escapeName(messageOf(error))}`)
    if (!(error instanceof CliError) || error.code !== 'USAGE') return EXIT.failed
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
  const listed = COMMANDS.get(name)
  if (listed === undefined) throw new CliError('USAGE', `Unknown command ${show(name)}`)
  const command = await listed.load()
  const parsed = parseArguments(rest, command.options)
  if (parsed.flag('help')) {
    output.print(command.usage.trimEnd())
    return EXIT.ok
  }
  const [unexpected] = parsed.rest
  if (unexpected !== undefined && command.takesRest !== true) {
    throw new CliError('USAGE', `Unexpected argument ${show(unexpected)}`)
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

/** The version in package.json. */
function cliVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return v.parse(v.object({ version: v.string() }), JSON.parse(text)).version
}

// `cdh list | head` is no failure
process.stdout.on('error', (error) => {
  if (codeOf(error) !== 'EPIPE') throw error
  process.exit(0)
})

const output = new Output(process.stdout, process.stderr)
process.exitCode = await main(process.argv.slice(2), process.env, output)
