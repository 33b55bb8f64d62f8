import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import { CliError, messageOf } from '../error.ts'
import { show } from '../output/output.ts'
import { isStoreUrl, type StoreOptions } from '../store/open-store.ts'

/** Options that every command has. */
export const COMMON_OPTIONS: ParseArgsOptionsConfig = {
  endpoint: { type: 'string' },
  region: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
}

/** A command line after its command. */
export class Arguments {
  readonly #values: Readonly<Record<string, unknown>>
  /** What is neither an option nor a location. */
  readonly names: readonly string[]
  readonly location: string | undefined
  /** What stands behind `--`. */
  readonly rest: readonly string[]

  constructor(
    values: Readonly<Record<string, unknown>>,
    positionals: readonly string[],
    rest: readonly string[],
  ) {
    this.#values = values
    this.names = positionals.filter((name) => !isStoreUrl(name))
    this.location = positionals.find(isStoreUrl)
    this.rest = rest
  }

  flag(name: string): boolean {
    return this.#values[name] === true
  }

  text(name: string): string | undefined {
    const value = this.#values[name]
    return typeof value === 'string' ? value : undefined
  }

  /** The only name; @throws CliError `USAGE` when there is none or more. */
  name(what: string): string {
    const [first, ...more] = this.names
    if (first !== undefined && more.length === 0) return first
    throw new CliError('USAGE', `Expected one ${what}, and got ${this.names.length}`)
  }

  /** @throws CliError `USAGE` when there is a name */
  noNames(): void {
    const [first] = this.names
    if (first !== undefined) throw new CliError('USAGE', `Unexpected argument ${show(first)}`)
  }

  get storeOptions(): StoreOptions {
    const endpoint = this.text('endpoint')
    const region = this.text('region')
    return { ...(endpoint !== undefined && { endpoint }), ...(region !== undefined && { region }) }
  }
}

/** @throws CliError `USAGE` for an option that the command does not have */
export function parseArguments(
  args: readonly string[],
  options: ParseArgsOptionsConfig,
): Arguments {
  const end = args.indexOf('--')
  const own = end < 0 ? args : args.slice(0, end)
  try {
    const { values, positionals } = parseArgs({
      args: [...own],
      options: { ...COMMON_OPTIONS, ...options },
      allowPositionals: true,
    })
    return new Arguments(values, positionals, end < 0 ? [] : args.slice(end + 1))
  } catch (cause) {
    throw new CliError('USAGE', messageOf(cause), { cause })
  }
}

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/**
 * A moment: so long ago, such as `90m`, `12h`, `1d`, `2w`, or a date such as `2026-11-30T12:00:00Z`.
 *
 * @throws CliError `USAGE` for anything else
 */
export function parseSince(text: string, now: Date = new Date()): Date {
  const [, count, unit] = /^(\d{1,6})([smhdw])$/.exec(text) ?? []
  if (isUnit(unit)) return new Date(now.getTime() - Number(count) * UNIT_MS[unit])
  const at = /^\d{4}-/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(at)) return new Date(at)
  const message = `--since ${show(text)} is no time: expected such as \`90m\`, \`12h\`, \`1d\`, \`2w\` or \`2026-11-30T12:00:00Z\``
  throw new CliError('USAGE', message)
}

function isUnit(unit: string | undefined): unit is keyof typeof UNIT_MS {
  return unit !== undefined && unit in UNIT_MS
}
