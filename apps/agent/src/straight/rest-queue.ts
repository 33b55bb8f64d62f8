import { createReadStream, type Dirent } from 'node:fs'
import { lstat, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isUploadError, type Destination, type Stored } from '@core-dump-handler/upload'
import type { Log } from '../log/open-log.ts'
import { CannotEnd, Delivery } from './delivery.ts'
import { FRAMES_MAGIC } from '@core-dump-handler/composer'
import { recordLoss } from './record-loss.ts'
import { REST } from './rest-file.ts'

export interface RestQueueOptions {
  readonly destination: Destination
  readonly log: Log
  readonly signal: AbortSignal
  readonly nodeName: string
  readonly onStored: (manifest: string | undefined, stored: Stored) => void
  readonly onLost: () => void
}

const RESCAN_MS = 30_000
const MAX_WAIT_MS = 300_000

/** Brings to their ends the archives whose beginnings are in the store, and whose rests are in one directory. */
export class RestQueue {
  readonly #directory: string
  readonly #options: RestQueueOptions
  readonly #failures = new Map<string, { count: number; notBeforeMs: number }>()
  #wake: () => void = () => {}

  constructor(directory: string, options: RestQueueOptions) {
    this.#directory = directory
    this.#options = options
  }

  /** There is, or may be, a new one. */
  readonly wake = (): void => this.#wake()

  /** Until the signal is aborted. */
  async run(): Promise<void> {
    const { signal } = this.#options
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => (this.#wake = resolve))
      await this.#scan()
      const rest = sleep(RESCAN_MS, undefined, { signal, ref: false }).catch(() => undefined)
      await Promise.race([woken, rest])
    }
  }

  async #scan(): Promise<void> {
    const files = await readdir(this.#directory, { withFileTypes: true }).catch((): Dirent[] => [])
    // no link is followed, no pipe waited for
    const rests = files.filter((each) => each.isFile() && REST.test(each.name))
    const names = rests.map(({ name }) => name)
    for (const name of names) {
      if (this.#options.signal.aborted) return
      if ((this.#failures.get(name)?.notBeforeMs ?? 0) <= performance.now()) await this.#carry(name)
    }
    for (const name of this.#failures.keys()) if (!names.includes(name)) this.#failures.delete(name)
  }

  async #carry(file: string): Promise<void> {
    const { signal, onStored } = this.#options
    const path = join(this.#directory, file)
    try {
      const stored = await this.#deliver(path)
      await unlink(path)
      this.#failures.delete(file)
      onStored(stored.manifest, stored)
    } catch (err) {
      if (signal.aborted) return
      if (isHopeless(err)) await this.#lose(file, err)
      else this.#later(file, err)
    }
  }

  async #deliver(path: string): Promise<Stored & { readonly manifest: string | undefined }> {
    const { destination, signal, nodeName } = this.#options
    const { size: expectedBytes } = await lstat(path)
    const delivery = new Delivery({ destination, signal, nodeName, expectedBytes })
    try {
      for await (const bytes of createReadStream(path)) {
        await delivery.push(delivery.hello === undefined ? withoutMagic(bytes) : bytes)
      }
      const { manifest } = delivery
      return manifest === undefined
        ? await delivery.end()
        : { ...(await delivery.finish()), manifest }
    } finally {
      // its buffers are for everybody; parts that were confirmed again are sent again
      await delivery.writer?.leave()
    }
  }

  /** What is there goes to the store as it is, and a record tells so; only then is it deleted here. */
  async #lose(file: string, error: unknown): Promise<void> {
    const { destination, log, signal, nodeName, onLost } = this.#options
    const path = join(this.#directory, file)
    try {
      const { url } = await destination.put(path, file.slice(1), { signal })
      const record = await recordLoss(this.#directory, path, { error, url, nodeName })
      await unlink(path)
      const text = 'the store has lost the beginning of a bundle: its end is kept there as it is'
      log.error({ file, record, url, err: error }, text)
      onLost()
    } catch (err) {
      this.#later(file, err)
    }
  }

  #later(file: string, err: unknown): void {
    const { log, signal } = this.#options
    if (signal.aborted) return
    log.error({ file, err }, 'the rest of a bundle cannot be sent yet, it is kept')
    const count = (this.#failures.get(file)?.count ?? 0) + 1
    const waitMs = Math.min(RESCAN_MS * 2 ** (count - 1), MAX_WAIT_MS)
    this.#failures.set(file, { count, notBeforeMs: performance.now() + waitMs - 1000 })
  }
}

/** The first bytes of the file. */
function withoutMagic(bytes: Buffer): Buffer {
  return bytes.subarray(FRAMES_MAGIC.length)
}

/** The beginning is gone, or there is no end that could be made. */
function isHopeless(error: unknown): boolean {
  if (error instanceof CannotEnd) return true
  return (
    isUploadError(error) &&
    ['NoSuchUpload', 'InvalidPart', 'InvalidPartOrder', 'EntityTooSmall'].includes(
      error.storeCode ?? '',
    )
  )
}
