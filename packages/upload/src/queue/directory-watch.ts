import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { stat } from 'node:fs/promises'

/**
 * Reports that a directory may have changed: inotify loses events in a burst, and a watch reports nothing
 * after its directory is replaced. So call `refresh()` before every scan, and scan on a timer too.
 */
export class DirectoryWatch implements Disposable {
  readonly #directory: string
  readonly #onChange: () => void
  readonly #onFailure: (cause: unknown) => void
  #watcher: FSWatcher | undefined
  #watched = ''
  #isReported = false

  constructor(directory: string, onChange: () => void, onFailure: (cause: unknown) => void) {
    this.#directory = directory
    this.#onChange = onChange
    this.#onFailure = onFailure
  }

  /** Watch the directory that has the name now. */
  async refresh(): Promise<void> {
    try {
      const { dev, ino } = await stat(this.#directory, { bigint: true })
      const id = `${dev}:${ino}`
      if (this.#watcher && id === this.#watched) return
      this[Symbol.dispose]()
      this.#watcher = watch(this.#directory, (_event, name) => {
        // hidden files are unfinished: their many writes are no reason to scan
        if (name?.startsWith('.') !== true) this.#onChange()
      })
      this.#watched = id
      this.#isReported = false
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
    // once: with no inotify watch left, or a file system without, the timer is enough
    if (!this.#isReported) this.#onFailure(cause)
    this.#isReported = true
  }
}
