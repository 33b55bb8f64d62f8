import { type DestinationStream, pino, stdTimeFunctions } from 'pino'
import { codeOf } from '../error.ts'
import { redactor, visible } from './redact.ts'
import { StderrStream } from './stderr-stream.ts'

/** `facts` are written as fields (an error as `err`); the text is constant, never a value. */
interface Write {
  (facts: object, text: string): void
  (text: string): void
}

export type Log = Readonly<Record<'debug' | 'info' | 'warn' | 'error' | 'fatal', Write>>

export interface LogOptions {
  readonly level: Level
  readonly secrets: readonly string[]
}

/** One line per event on stderr: JSON, or made for reading when stderr is a terminal. */
export async function openLog({ level, secrets }: LogOptions): Promise<Log> {
  const redact = redactor(secrets)
  const destination = process.stderr.isTTY ? await readable() : new StderrStream(lostLine)
  const log: Log = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => describeError(error) },
      // the last step before a line is written: no field of any library passes without it
      hooks: { streamWrite: (line) => `${visible(redact(line.trimEnd()))}\n` },
    },
    destination,
  )
  return log
}

function lostLine(lost: number): string {
  const time = new Date().toISOString()
  const msg = 'lines of this log were lost, because no one read it'
  return `${JSON.stringify({ level: 'warn', time, lost, msg })}\n`
}

async function readable(): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty')
  return pretty({ sync: true, destination: 2, translateTime: 'SYS:HH:MM:ss', singleLine: true })
}

/** The fields of an error that may be written: never others, where SDKs keep requests and keys. */
export interface ErrorDescription {
  readonly name: string
  readonly code?: string
  readonly message: string
  readonly cause?: ErrorDescription
  readonly errors?: readonly ErrorDescription[]
}

export function describeError(error: unknown, depth = 0): ErrorDescription {
  if (!(error instanceof Error)) return { name: typeof error, message: String(error) }
  const code = codeOf(error)
  const deeper = depth < 4
  return {
    name: error.name,
    ...(code !== undefined && { code }),
    message: error.message,
    ...(deeper && error.cause !== undefined && { cause: describeError(error.cause, depth + 1) }),
    ...(deeper &&
      error instanceof AggregateError && {
        errors: error.errors.map((one: unknown) => describeError(one, depth + 1)),
      }),
  }
}

const LEVELS = {
  trace: 'trace',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  fatal: 'fatal',
  off: 'silent',
  silent: 'silent',
} as const

export type Level = (typeof LEVELS)[keyof typeof LEVELS]

/**
 * `LOG_LEVEL`, else version 9's `RUST_LOG` for the agent: `debug`, or the last of
 * `warn,core_dump_agent=debug` that concerns it. Anything else means `info`.
 */
export function logLevel(env: Readonly<NodeJS.ProcessEnv>): Level {
  const own = toLevel(env['LOG_LEVEL'])
  if (own !== undefined) return own

  const directives = (env['RUST_LOG'] ?? '').split('/', 1)[0]?.split(',') ?? []
  const parts = directives.map((directive) => directive.trim().split('='))
  const agent = parts.findLast(([target]) => target === 'core_dump_agent')
  const all = parts.findLast(([target, level]) => level === undefined && toLevel(target))
  return (agent && toLevel(agent[1] ?? 'trace')) ?? toLevel(all?.[0]) ?? 'info'
}

const isLevelName = (name: string): name is keyof typeof LEVELS => Object.hasOwn(LEVELS, name)

function toLevel(text: string | undefined): Level | undefined {
  const name = text?.trim().toLowerCase() ?? ''
  return isLevelName(name) ? LEVELS[name] : undefined
}
