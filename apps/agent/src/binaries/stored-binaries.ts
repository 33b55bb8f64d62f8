import { appendFile, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatStoredBinary, readStoredBinaries, STORED_BINARIES } from '@core-dump-handler/bundle'

const MAX_LINES = 10_000
const KEPT_LINES = 5000

/**
 * Remembers which binaries the store has, so that composers do not copy them for each crash: the last 5,000 at
 * least, 10,000 at most. Of another destination nothing is known.
 */
export class StoredBinaries {
  readonly #directory: string
  readonly #path: string
  readonly #heading: string
  #lines: number | undefined

  /** `directory`: `CORE_DIR/binaries`, which exists; `url`: of the destination, without credentials. */
  constructor(directory: string, url: string) {
    this.#directory = directory
    this.#path = join(directory, STORED_BINARIES)
    this.#heading = `${encodeURI(url)}\n`
  }

  /** Forgets what another destination had; to be called before the first upload. */
  async open(): Promise<void> {
    const text = await readFile(this.#path, 'latin1').catch(() => '')
    if (text.startsWith(this.#heading)) this.#lines = text.split('\n').length
    else await this.#write(this.#heading)
  }

  async add(buildId: string): Promise<void> {
    if (this.#lines === undefined) await this.open()
    await appendFile(this.#path, formatStoredBinary(buildId, Date.now()), { mode: 0o600 })
    this.#lines = (this.#lines ?? 1) + 1
    if (this.#lines > MAX_LINES) await this.#shorten()
  }

  async #shorten(): Promise<void> {
    const kept = [...(await readStoredBinaries(this.#directory))].slice(-KEPT_LINES)
    await this.#write(this.#heading + kept.map((line) => formatStoredBinary(...line)).join(''))
  }

  /** By rename: a composer may be reading it. */
  async #write(text: string): Promise<void> {
    const part = `${this.#path}.part`
    await rm(part, { force: true })
    await writeFile(part, text, { mode: 0o600, flag: 'wx' })
    await rename(part, this.#path)
    this.#lines = text.split('\n').length
  }
}
