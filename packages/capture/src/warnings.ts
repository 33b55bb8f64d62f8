import type { Warning } from '@core-dump-handler/bundle'
import { errorMessage, escapeControls } from './text.ts'

// a hostile command line or runtime must not make the manifest large
const MAX_WARNINGS = 100
const MAX_MESSAGE = 4000

/** Collects what goes wrong beside the core, for the manifest of one crash. */
export class Warnings {
  readonly list: Warning[] = []
  readonly #onWarning: (warning: Warning) => void

  /** `onWarning` is called for each at once. */
  constructor(onWarning: (warning: Warning) => void = () => {}) {
    this.#onWarning = onWarning
  }

  add(code: string, message: string): void {
    if (this.list.length >= MAX_WARNINGS) return
    // one line: the text it quotes was chosen by other processes
    const line = escapeControls(message.slice(0, MAX_MESSAGE)).slice(0, MAX_MESSAGE)
    const warning = { code, message: line.toWellFormed() }
    // the same message is kept once, whatever its code
    if (this.list.some((known) => known.message === warning.message)) return
    this.list.push(warning)
    this.#onWarning(warning)
  }

  /** Runs `step`; what it throws becomes a warning with this code. */
  async guard<T>(code: string, step: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await step()
    } catch (error) {
      this.add(code, errorMessage(error))
      return undefined
    }
  }
}
