import type { OutputStream } from './output.ts'
import { formatBytes } from './format.ts'

const INTERVAL_MS = 200

/** One line on a terminal that grows with the bytes; silent elsewhere. */
export class Progress {
  readonly #stream: OutputStream
  readonly #title: string
  readonly #total: number
  #bytes: number
  #shown = 0

  /** `title` is already harmless; `bytes` were there before. */
  constructor(stream: OutputStream, title: string, total: number, bytes = 0) {
    this.#stream = stream
    this.#title = title
    this.#total = total
    this.#bytes = bytes
  }

  add(bytes: number): void {
    this.#bytes += bytes
    if (performance.now() - this.#shown < INTERVAL_MS) return
    this.#shown = performance.now()
    this.#draw()
  }

  end(): void {
    if (this.#shown === 0) return
    this.#draw()
    if (this.#stream.isTTY === true) this.#stream.write('\n')
  }

  #draw(): void {
    if (this.#stream.isTTY !== true) return
    const percent = this.#total === 0 ? 100 : Math.floor((this.#bytes / this.#total) * 100)
    const amount = `${formatBytes(this.#bytes)} of ${formatBytes(this.#total)}`
    this.#stream.write(`\r\u001b[K${this.#title}  ${amount}  ${percent} %`)
  }
}
