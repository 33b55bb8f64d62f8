import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { appendBounded, type CaptureLog, escapeControls } from '@core-dump-handler/capture'
import type { ComposerSettings } from '@core-dump-handler/capture/settings'

type LogLevel = ComposerSettings['logLevel']

const LEVELS: readonly LogLevel[] = ['off', 'error', 'warn', 'info', 'debug', 'trace']

/**
 * Lines in v9's pattern `{l} - {d} - {m}` on standard error, which the container runtime keeps, and in
 * `composer.log`, which `core-dump-agent logs` prints.
 */
export class Log implements CaptureLog {
  level: LogLevel = 'debug'
  readonly #path: string

  constructor(hostDir: string) {
    this.#path = join(hostDir, 'composer.log')
  }

  write(level: 'error' | 'warn' | 'info' | 'debug', message: string): void {
    if (LEVELS.indexOf(level) > LEVELS.indexOf(this.level)) return
    const line = `${level.toUpperCase()} - ${new Date().toISOString()} - ${escapeControls(message)}\n`
    attempt(() => writeSync(2, line))
    attempt(() => appendBounded(this.#path, line))
  }
}

/** A closed standard error, a full disk: a log line is never a reason to fail. */
function attempt(write: () => void): void {
  try {
    write()
  } catch {
    // the other one may have it
  }
}
