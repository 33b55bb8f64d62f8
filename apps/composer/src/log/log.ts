import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { type CaptureLog, errorCode, escapeControls } from '@core-dump-handler/capture'
import type { ComposerSettings } from '@core-dump-handler/capture/settings'

type LogLevel = ComposerSettings['logLevel']

const LEVELS: readonly LogLevel[] = ['off', 'error', 'warn', 'info', 'debug', 'trace']
const MAX_BYTES = 1024 * 1024

export interface LogOptions {
  /** The file; without one, lines go to stderr. */
  readonly path?: string | undefined
  /** At this size the file is renamed to `<path>.1`, replacing an older one. */
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
  readonly #maxBytes: number

  constructor({ path, maxBytes = MAX_BYTES }: LogOptions = {}) {
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

function appendBounded(path: string, text: string, maxBytes: number): void {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants
  const open = (): number =>
    openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
  let fd = open()
  try {
    const { size, ino } = fstatSync(fd)
    if (size > maxBytes) {
      rotate(path, ino)
      closeSync(fd)
      fd = open()
    }
    writeSync(fd, text)
  } finally {
    closeSync(fd)
  }
}

/** Renames the file, unless another composer has done so: its new file is not the one that is full. */
function rotate(path: string, ino: number): void {
  try {
    if (lstatSync(path).ino === ino) renameSync(path, `${path}.1`)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
  }
}
