import { FRAME, type Frame, FrameReader, type StraightHello } from '@core-dump-handler/composer'
import { endArchive, type OpenArchive } from '@core-dump-handler/ingest'
import type { Destination, PartsState, PartsWriter, Stored } from '@core-dump-handler/upload'
import { endingOf } from '../salvage/ending.ts'
import { openArchive, parseHello } from './messages.ts'
import { savedOf } from './saved-of.ts'

export interface DeliveryOptions {
  readonly destination: Destination
  readonly signal: AbortSignal
  readonly nodeName: string
  /** Of a file: how many bytes are to come at most. */
  readonly expectedBytes?: number
  readonly onConfirmed?: (state: PartsState) => void
}

/** Bytes are held back until the archive could be ended behind them; but no more than these. */
const HOLD_BYTES = 1024 * 1024

/** What came of an archive has no end, and none can be made. */
export class CannotEnd extends Error {
  override readonly name = 'CannotEnd'
}

/** One archive on its way to the store: frames in, of a composer that lives or of the file it has left. */
export class Delivery {
  readonly #options: DeliveryOptions
  readonly #reader = new FrameReader()
  readonly #held = Buffer.allocUnsafeSlow(HOLD_BYTES)
  #heldBytes = 0
  /** Of the archive, with what is held. */
  #position = 0
  #next: OpenArchive | undefined
  #sound: OpenArchive | undefined
  #hello: StraightHello | undefined
  #writer: PartsWriter | undefined
  #manifest: string | undefined
  #left = false

  constructor(options: DeliveryOptions) {
    this.#options = options
  }

  get hello(): StraightHello | undefined {
    return this.#hello
  }

  get writer(): PartsWriter | undefined {
    return this.#writer
  }

  /** Text of the manifest, once the archive is whole. */
  get manifest(): string | undefined {
    return this.#manifest
  }

  /** Its composer has taken the rest upon itself. */
  get left(): boolean {
    return this.#left
  }

  /** The archive could be ended behind this position; the writer may have been given more. */
  get sound(): OpenArchive | undefined {
    return this.#sound
  }

  /** Takes what came; waits while the store is behind. Rejects with the `UploadError` of the store, or with what is wrong with a frame. */
  async push(bytes: Buffer): Promise<void> {
    for (const frame of this.#reader.push(bytes)) await this.#take(frame)
  }

  /** The archive is whole: everything into the store. */
  async finish(): Promise<Stored> {
    await this.#flush()
    return this.#use().finish()
  }

  /** Its writer is dead: ends it where its data is sound. Resolves with the text of its manifest, too. */
  async end(): Promise<Stored & { readonly manifest: string | undefined }> {
    const { hello, sound } = this
    if (hello === undefined || sound?.position !== this.#position - this.#heldBytes) {
      throw new CannotEnd('Its composer died at a place where it cannot be ended')
    }
    const facts = {
      name: hello.name,
      nodeName: this.#options.nodeName,
      createdMs: hello.startedMs,
      modifiedMs: hello.startedMs,
    }
    const additions = await endingOf(savedOf(sound, hello.dumpInfo), facts)
    const writer = this.#use()
    await writer.write(await endArchive(sound, additions))
    const manifest = additions.find(([name]) => name.endsWith('-manifest.json'))?.[1]
    return {
      ...(await writer.finish()),
      manifest: manifest === undefined ? undefined : String(manifest),
    }
  }

  async #take({ type, content }: Frame): Promise<void> {
    if (this.#hello === undefined) return this.#begin(type, content)
    if (type === FRAME.data) return this.#data(content)
    if (type === FRAME.boundary) this.#next = openArchive(content)
    else if (type === FRAME.end) this.#manifest = content.toString()
    else if (type === FRAME.leave) this.#left = true
    await this.#settle()
  }

  async #begin(type: number, content: Buffer): Promise<void> {
    if (type !== FRAME.hello) throw new Error(`The first frame is of type ${type}, not a hello`)
    const hello = parseHello(content)
    const { destination, ...options } = this.#options
    this.#writer = await destination.putParts(`${hello.name}.zip`, {
      ...options,
      ...(hello.resume && { resume: hello.resume }),
    })
    this.#position = this.#writer.confirmedBytes
    this.#hello = hello
  }

  async #data(content: Buffer): Promise<void> {
    for (let at = 0; at < content.length;) {
      if (this.#heldBytes === HOLD_BYTES) await this.#flush()
      const taken = content.copy(this.#held, this.#heldBytes, at)
      at += taken
      this.#heldBytes += taken
      this.#position += taken
    }
    await this.#settle()
  }

  /** What the boundary promised is there: it can go. */
  async #settle(): Promise<void> {
    if (this.#next?.position !== this.#position) return
    const sound = this.#next
    await this.#flush()
    this.#sound = sound
  }

  async #flush(): Promise<void> {
    if (this.#heldBytes === 0) return
    const bytes = this.#held.subarray(0, this.#heldBytes)
    this.#heldBytes = 0
    await this.#use().write(bytes)
  }

  #use(): PartsWriter {
    if (this.#writer === undefined) throw new Error('nothing has come yet')
    return this.#writer
  }
}
