import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import { type DestinationStream, pino, stdTimeFunctions } from 'pino'
import { codeOf } from '../error.ts'
import { redactor, visible } from './redact.ts'

/** `facts` are written as fields (an error as `err`); the text is constant, never a value. */
interface Write {
  (facts: object, text: string): void
  (text: string): void
}

export type Log = Readonly<Record<'debug' | 'info' | 'warn' | 'error' | 'fatal', Write>>

interface LogOptions {
  readonly level: Level
  readonly secrets: readonly string[]
}

/** One line per event on stderr: JSON, or made for reading when stderr is a terminal. */
export async function openLog({ level, secrets }: LogOptions): Promise<Log> {
  const redact = redactor(secrets)
  const destination = process.stderr.isTTY ? await readable() : new StderrStream()
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
interface ErrorDescription {
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

type Level = (typeof LEVELS)[keyof typeof LEVELS]

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

const MAX_WAITING_BYTES = 1024 * 1024
const RETRY_MS = 100
const EXIT_MS = 500
const EXIT_RETRY_MS = 10
const STDERR = 2

/**
 * Writes whole lines to stderr at once, and, where it is a pipe that no one reads, keeps up to 1 MiB
 * of them until it is read: a log that is not read must not stop the process. Lines beyond are lost,
 * and counted in a line of their own. At the exit it waits for its reader for half a second.
 */
class StderrStream implements DestinationStream {
  readonly #fd: number
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #lost = 0
  #timer: NodeJS.Timeout | undefined

  constructor() {
    this.#fd = withoutBlocking(STDERR)
    process.on('exit', () => this.#flushAtExit())
  }

  write(line: string): void {
    const bytes = Buffer.from(line)
    if (this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) {
      this.#lost++
      return
    }
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (this.#timer === undefined) this.#flush()
  }

  /** Writes what the pipe takes; whether that is all. */
  #flush(): boolean {
    clearTimeout(this.#timer)
    this.#timer = undefined
    while (this.#writeFirst()) {
      if (this.#waiting.length > 0 || this.#lost === 0) continue
      const line = Buffer.from(lostLine(this.#lost))
      this.#lost = 0
      this.#waiting.push(line)
      this.#waitingBytes += line.length
    }
    if (this.#waiting.length === 0) return true
    this.#timer = setTimeout(() => this.#flush(), RETRY_MS).unref()
    return false
  }

  /** Writes the first of the lines that wait; `false`: there is none, or the pipe is full. */
  #writeFirst(): boolean {
    const [first] = this.#waiting
    if (first === undefined) return false
    let written: number
    try {
      written = writeSync(this.#fd, first)
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') return false
      written = first.length // its reader is gone, or the disk is full: there is no other place to say so
    }
    this.#waitingBytes -= written
    if (written < first.length) this.#waiting[0] = first.subarray(written)
    else this.#waiting.shift()
    return true
  }

  #flushAtExit(): void {
    const until = performance.now() + EXIT_MS
    const cell = new Int32Array(new SharedArrayBuffer(4))
    while (!this.#flush() && performance.now() < until) Atomics.wait(cell, 0, 0, EXIT_RETRY_MS)
  }
}

/**
 * The same pipe by an open file of our own that does not block: others write to `fd`, too. `fd` itself
 * where it is no pipe, or may not be opened again.
 */
function withoutBlocking(fd: number): number {
  try {
    if (!fstatSync(fd).isFIFO()) return fd
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch {
    return fd
  }
}
