import { parseArgs } from 'node:util'
import type { Command } from './command.ts'
import { USAGE } from './usage.ts'
import { agentVersion } from './version.ts'

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
  'if-uninstalling': { type: 'boolean' },
  follow: { type: 'boolean', short: 'f' },
  lines: { type: 'string', short: 'n' },
} as const

const DEFAULT_LOG_LINES = 100

/**
 * What the arguments ask for: a command, or a text to print. Never a daemon by mistake: a
 * mistyped `remove` must not take a node over.
 * @throws TypeError in words for the user
 */
export function parseCommand(args: string[]): Command | string {
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
    throw new TypeError(`\`--lines\` wants a number of lines, and got \`${lines}\``)
  }
  if (operands.length > 0 && name !== 'sweep' && name !== 'crash-now') {
    throw new TypeError(`\`${name}\` takes no operands`)
  }
  if (name === 'logs') {
    const options = { follow, lines: Number(lines ?? DEFAULT_LOG_LINES) }
    return async (context) => (await import('./print-logs.ts')).printLogs(context, options)
  }
  return find(name, operands, ifUninstalling)
}

/** Each command loads what it needs and no more: `remove` has seconds, and no use for the SDK. */
function find(name: string | undefined, operands: string[], ifUninstalling: boolean): Command {
  switch (name) {
    case undefined:
      return async (context) => (await import('./run.ts')).run(context)
    case 'sweep':
      return async (context) => (await import('./sweep.ts')).sweep(context, operands)
    case 'remove':
      return ifUninstalling
        ? async (context) =>
            (await import('./remove-if-uninstalling.ts')).removeIfUninstalling(context)
        : async (context) => (await import('./remove.ts')).remove(context)
    case 'status':
      return async (context) => (await import('./status.ts')).printStatus(context)
    case 'test-crash':
      return async (context) => (await import('./test-crash.ts')).testCrash(context)
    case 'crash-now':
      return async () => (await import('./let-crash.ts')).crashNow(operands[0] ?? 'canary')
    default:
      throw new TypeError(`Unknown command \`${name}\``)
  }
}
