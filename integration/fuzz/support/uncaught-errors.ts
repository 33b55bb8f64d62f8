/** Uncaught errors: in the program they would have ended it. */
export class UncaughtErrors implements Disposable {
  readonly #errors: unknown[] = []
  readonly #note = (error: unknown): void => void this.#errors.push(error)

  constructor() {
    process.on('uncaughtException', this.#note)
    process.on('unhandledRejection', this.#note)
  }

  assertNone(): void {
    const [error] = this.#errors.splice(0)
    if (error === undefined) return
    const why = error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(error)
    throw new Error(`uncaught: ${why}`, { cause: error })
  }

  [Symbol.dispose](): void {
    process.off('uncaughtException', this.#note)
    process.off('unhandledRejection', this.#note)
  }
}
