import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { stat } from 'node:fs/promises'

/**
 * A reason to look, no more: inotify's events get lost in a burst, and a watch goes deaf when its
 * directory is replaced. So `refresh()` belongs before every scan, and scans happen on a clock too.
 */
export class DirectoryWatch implements Disposable {
  readonly #directory: string
  readonly #onChange: () => void
  readonly #onProblem: (cause: unknown) => void
  #watcher: FSWatcher | undefined
  #watched = ''
  #told = false

  constructor(directory: string, onChange: () => void, onProblem: (cause: unknown) => void) {
    this.#directory = directory
    this.#onChange = onChange
    this.#onProblem = onProblem
  }

  /** Watch the directory that has the name now. */
  async refresh(): Promise<void> {
    try {
      const { dev, ino } = await stat(this.#directory, { bigint: true })
      const id = `${dev}:${ino}`
      if (this.#watcher && id === this.#watched) return
      this[Symbol.dispose]()
      this.#watcher = watch(this.#directory, (_event, name) => {
        // hidden files are unfinished: their many writes concern nobody
        if (name?.startsWith('.') !== true) this.#onChange()
      })
      this.#watched = id
      this.#told = false
      this.#watcher.on('error', (error) => this.#fail(error))
    } catch (error) {
      this.#fail(error)
    }
  }

  [Symbol.dispose](): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }

  #fail(cause: unknown): void {
    this[Symbol.dispose]()
    // told once: no inotify watch left, or a file system without, is looked at by the clock
    if (!this.#told) this.#onProblem(cause)
    this.#told = true
  }
}
