import { writeSync } from 'node:fs'
import { type CaptureLog, escapeControls } from '@core-dump-handler/capture'
import type { ComposerSettings } from '@core-dump-handler/capture/settings'

type LogLevel = ComposerSettings['logLevel']

const LEVELS: readonly LogLevel[] = ['off', 'error', 'warn', 'info', 'debug', 'trace']

/** Lines in v9's pattern `{l} - {d} - {m}` on standard error, which the container runtime keeps. */
export class Log implements CaptureLog {
  level: LogLevel = 'debug'

  write(level: 'error' | 'warn' | 'info' | 'debug', message: string): void {
    if (LEVELS.indexOf(level) > LEVELS.indexOf(this.level)) return
    const line = `${level.toUpperCase()} - ${new Date().toISOString()} - ${escapeControls(message)}\n`
    try {
      writeSync(2, line)
    } catch {
      // a closed standard error: a log line is never a reason to fail
    }
  }
}
