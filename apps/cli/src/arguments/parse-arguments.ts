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

/** Of a bundle, as the Event on a pod has it. */
const OBJECT_URL = /^(s3:\/\/[^/]+(?:\/.*)?|file:.*\/.*)\/([^/]+\.zip)$/s

/** A command line after its command. */
export class Arguments {
  readonly #values: Readonly<Record<string, unknown>>
  /** What is neither an option nor a location; of the address of a bundle its last part. */
  readonly names: readonly string[]
  readonly location: string | undefined
  /** What stands behind `--`. */
  readonly rest: readonly string[]

  constructor(
    values: Readonly<Record<string, unknown>>,
    positionals: readonly string[],
    rest: readonly string[],
  ) {
    const [url, ...more] = positionals.filter(isStoreUrl)
    if (more.length > 0) {
      throw new CliError('USAGE', `Expected one location, and got ${more.length + 1}`)
    }
    const names = positionals.filter((name) => !isStoreUrl(name))
    const [, directory, object] = OBJECT_URL.exec(url ?? '') ?? []
    this.#values = values
    this.location = directory ?? url
    this.names = object === undefined ? names : [nameOf(url, object), ...names]
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
    const { values, positionals, tokens } = parseArgs({
      args: [...own],
      options: { ...COMMON_OPTIONS, ...options },
      allowPositionals: true,
      tokens: true,
    })
    for (const token of tokens) {
      // a variable that is not set, which would select everything
      if (token.kind === 'positional' && token.value === '') throw new Error('An argument is empty')
      if (token.kind === 'option' && token.value === '') {
        throw new Error(`${token.rawName} is empty: expected a value`)
      }
    }
    return new Arguments(values, positionals, end < 0 ? [] : args.slice(end + 1))
  } catch (cause) {
    throw new CliError('USAGE', messageOf(cause), { cause })
  }
}

/** Of the object at a URL; those of files are encoded. */
function nameOf(url: string | undefined, object: string): string {
  return url?.startsWith('file:') === true ? decodeURIComponent(object) : object
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
  const [day] = /^\d{4}-\d\d-\d\d/.exec(text) ?? []
  if (day !== undefined && isDay(day) && !Number.isNaN(Date.parse(text))) return new Date(text)
  const message = `--since ${show(text)} is no time: expected such as \`90m\`, \`12h\`, \`1d\`, \`2w\` or \`2026-11-30T12:00:00Z\``
  throw new CliError('USAGE', message)
}

/** `Date` takes 30 February for 2 March. */
function isDay(day: string): boolean {
  const ms = Date.parse(day)
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day)
}

function isUnit(unit: string | undefined): unit is keyof typeof UNIT_MS {
  return unit !== undefined && unit in UNIT_MS
}
