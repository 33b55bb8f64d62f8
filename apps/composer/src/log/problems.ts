import type { Warning } from '@core-dump-handler/bundle'
import { escapeControls } from './escape-controls.ts'
import { messageOf } from './message-of.ts'

// a hostile command line or runtime must not make the manifest large
const MAX_PROBLEMS = 100
const MAX_MESSAGE = 4000

/** Collects what went wrong beside the core, and tells `onProblem` at once. */
export class Problems {
  readonly list: Warning[] = []
  readonly #onProblem: (problem: Warning) => void

  constructor(onProblem: (problem: Warning) => void) {
    this.#onProblem = onProblem
  }

  add(code: string, message: string): void {
    if (this.list.length >= MAX_PROBLEMS) return
    // one line: what it quotes was chosen by others
    const line = escapeControls(message.slice(0, MAX_MESSAGE)).slice(0, MAX_MESSAGE)
    const problem = { code, message: line.toWellFormed() }
    // the same thing is one problem, whoever tells it under which code
    if (this.list.some((known) => known.message === problem.message)) return
    this.list.push(problem)
    this.#onProblem(problem)
  }

  /** Run `step`; what it throws is a problem with this code. */
  async guard<T>(code: string, step: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await step()
    } catch (error) {
      this.add(code, messageOf(error))
      return undefined
    }
  }
}
