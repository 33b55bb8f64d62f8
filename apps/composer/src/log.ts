import { writeSync } from 'node:fs'
import { appendBounded, type CaptureLog, escapeControls } from '@core-dump-handler/capture'
import type { ComposerSettings } from '@core-dump-handler/capture/settings'

type LogLevel = ComposerSettings['logLevel']

const LEVELS: readonly LogLevel[] = ['off', 'error', 'warn', 'info', 'debug', 'trace']

interface LogOptions {
  /** The file; without one, lines go to stderr. */
  readonly path?: string | undefined
  /** As `maxBytes` of `appendBounded`. */
  readonly maxBytes?: number
}

/**
 * composer.log in v9's pattern `{l} - {d} - {m}`, 0600, never above two files.
 * Lines are kept in memory until the first `flush`, so that no crash is held for them.
 */
export class Log implements CaptureLog {
  #level = 4
  #waiting: { readonly level: LogLevel; readonly line: string }[] | undefined = []
  readonly #path: string | undefined
  readonly #maxBytes: number | undefined

  constructor({ path, maxBytes }: LogOptions = {}) {
    this.#path = path
    this.#maxBytes = maxBytes
  }

  setLevel(level: LogLevel): void {
    this.#level = LEVELS.indexOf(level)
  }

  write(level: Exclude<LogLevel, 'off'>, message: string): void {
    const text = escapeControls(message)
    const line =
      this.#path === undefined
        ? `composer: ${text}\n`
        : `${level.toUpperCase()} - ${new Date().toISOString()} - ${text}\n`
    if (this.#waiting) this.#waiting.push({ level, line })
    else if (this.#wants(level)) this.#append(line)
  }

  /** Writes the lines so far, by the level set last; later lines are written at once. */
  flush(): void {
    const lines = this.#waiting?.filter(({ level }) => this.#wants(level)) ?? []
    this.#waiting = undefined
    if (lines.length > 0) this.#append(lines.map(({ line }) => line).join(''))
  }

  #wants(level: LogLevel): boolean {
    return LEVELS.indexOf(level) <= this.#level
  }

  #append(text: string): void {
    try {
      if (this.#path === undefined) writeSync(2, text)
      else appendBounded(this.#path, text, this.#maxBytes)
    } catch {
      // a full or read-only disk, a closed stderr: a log line is never a reason to fail
    }
  }
}
