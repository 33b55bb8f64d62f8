import { pino, stdTimeFunctions, type DestinationStream } from 'pino'
import { describeError } from './describe-error.ts'
import type { Level } from './level.ts'
import { redactor } from './redact.ts'
import { visible } from './visible.ts'

/** `facts` are written as fields (an error as `err`); the text is ours alone, never a value. */
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
  const destination = process.stderr.isTTY
    ? await readable()
    : pino.destination({ dest: 2, sync: true })
  const log: Log = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => describeError(error) },
      // the last gate before the line leaves: no way around it for any field of any library
      hooks: { streamWrite: (line) => `${visible(redact(line.trimEnd()))}\n` },
    },
    destination,
  )
  return log
}

async function readable(): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty')
  return pretty({ sync: true, destination: 2, translateTime: 'SYS:HH:MM:ss', singleLine: true })
}
