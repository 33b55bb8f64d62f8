import type { OpenArchive, PartFile, ZipSink } from '@core-dump-handler/ingest'
import type { AgentLink } from './agent-link.ts'
import { FRAME, FRAMES_MAGIC, MAX_FRAME_BYTES, frame, frameHeader } from './frames.ts'
import type { StraightHello } from './frames.ts'
import { Window } from './window.ts'

/** Two parts of an upload: with it a composer stays below 40 MiB of its own. */
const WINDOW_BYTES = 10 * 1024 * 1024
/** So much is not left waiting for a place at which the archive could be ended. */
const MAX_UNSENT_BYTES = 512 * 1024
/** Where nobody is held: longer is no sign of life. */
const IDLE_PATIENCE_MS = 5000

export interface StraightSinkOptions {
  readonly hello: StraightHello
  /** How long, in all, the store may keep a process waiting. */
  readonly holdMs: number
  readonly isHeld: () => boolean
}

/**
 * Where the archive goes: to the agent as long as that gets it to the store, else into `part`. Every
 * byte is in the store, here, or on the disk: it is forgotten when the agent tells that the store has it.
 */
export class StraightSink implements ZipSink {
  readonly #part: PartFile
  readonly #link: AgentLink
  readonly #options: StraightSinkOptions
  readonly #window = new Window(WINDOW_BYTES)
  #confirmed = 0
  #sent = 0
  #waitedMs = 0
  #refused: unknown
  #kept: { readonly as: 'bundle' | 'rest'; readonly reason: string } | undefined

  constructor(part: PartFile, link: AgentLink, options: StraightSinkOptions) {
    this.#part = part
    this.#link = link
    this.#options = options
    link.onNews = () => this.#settle()
    link.sendText(FRAME.hello, JSON.stringify(options.hello))
  }

  /** Set once it goes to the disk: `bundle`, all of it; `rest`, what the store does not have. */
  get kept(): { readonly as: 'bundle' | 'rest'; readonly reason: string } | undefined {
    return this.#kept
  }

  /** How long the archive is. */
  get bytes(): number {
    return this.#confirmed + this.#window.bytes
  }

  get patch(): ZipSink['patch'] {
    if (this.#kept?.as !== 'bundle') return undefined
    return (bytes, position) => this.#part.patch(bytes, position)
  }

  write(chunks: readonly Uint8Array[]): void | Promise<void> {
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    if (this.#kept !== undefined || bytes <= this.#window.room) return this.#put(chunks)
    return this.#putPatiently(chunks)
  }

  boundary(archive: OpenArchive): void {
    const text = JSON.stringify(archive)
    if (this.#kept?.as === 'rest') this.#part.write([frame(FRAME.boundary, text)])
    if (this.#kept !== undefined) return
    this.#link.sendText(FRAME.boundary, text)
    this.#sendAll()
  }

  truncate(length: number): void {
    this.keep('an entry was taken back')
    if (this.#kept?.as !== 'bundle') throw new Error('the store has it already')
    this.#part.truncate(length)
  }

  /** The archive is whole: resolves with where it is; undefined when `part` has it, or the rest. */
  async finish(
    manifest: string,
    patienceMs: number,
    stopped: AbortSignal,
  ): Promise<string | undefined> {
    if (this.#kept === undefined) {
      this.#sendAll()
      this.#link.sendText(FRAME.end, manifest)
      await this.#news(patienceMs, () => this.#link.storedUrl !== undefined, stopped)
    }
    if (this.#link.storedUrl !== undefined) return this.#link.storedUrl
    this.keep(this.#link.over ?? `the store did not confirm it within ${patienceMs} ms`)
    if (this.#kept?.as === 'rest') this.#part.write([frame(FRAME.end, manifest)])
    return undefined
  }

  /** From now on into the file, with all that only we have; throws what write(2) reports. */
  keep(reason: string): void {
    if (this.#kept !== undefined) return
    const { resume } = this.#link
    this.#kept = { as: resume === undefined ? 'bundle' : 'rest', reason }
    const rest = this.#window.from(0)
    try {
      if (resume === undefined) return this.#part.write(rest)
      const hello = JSON.stringify({ ...this.#options.hello, resume })
      this.#part.write([Buffer.from(FRAMES_MAGIC), frame(FRAME.hello, hello), ...dataFrames(rest)])
    } finally {
      // not before: who finds no trace of it in the directory takes us for dead
      this.#link.leave()
      this.#window.clear()
    }
  }

  #put(chunks: readonly Uint8Array[]): void {
    if (this.#refused !== undefined) throw this.#refused
    if (this.#kept?.as === 'bundle') return this.#part.write(chunks)
    if (this.#kept?.as === 'rest') return this.#part.write(dataFrames(chunks))
    for (const chunk of chunks) this.#window.append(chunk)
    if (this.bytes - this.#sent > MAX_UNSENT_BYTES) this.#sendAll()
  }

  async #putPatiently(chunks: readonly Uint8Array[]): Promise<void> {
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.length;) {
        if (this.#kept === undefined && this.#window.room === 0) {
          this.#sendAll()
          await this.#waitForRoom()
        }
        const room = this.#kept === undefined ? this.#window.room : chunk.length
        this.#put([chunk.subarray(at, at + room)])
        at += room
      }
    }
  }

  async #waitForRoom(): Promise<void> {
    const { holdMs, isHeld } = this.#options
    const held = isHeld()
    const started = performance.now()
    const patienceMs = held ? holdMs - this.#waitedMs : IDLE_PATIENCE_MS
    await this.#news(patienceMs, () => this.#window.room > 0 || this.#kept !== undefined)
    if (held) this.#waitedMs += performance.now() - started
    if (this.#window.room === 0) {
      this.keep(
        held ? `the store kept the process waiting for ${holdMs} ms` : 'the store stands still',
      )
    }
  }

  /** Resolves once `isThere` holds, the agent is gone, or the time is up. */
  async #news(patienceMs: number, isThere: () => boolean, stopped?: AbortSignal): Promise<void> {
    const done = Promise.withResolvers<void>()
    const look = (): void => {
      this.#settle()
      if (isThere() || this.#link.over !== undefined) done.resolve()
    }
    const timer = setTimeout(done.resolve, Math.max(0, patienceMs))
    stopped?.addEventListener('abort', () => done.resolve(), { once: true })
    this.#link.onNews = look
    look()
    await done.promise
    clearTimeout(timer)
    this.#link.onNews = () => this.#settle()
  }

  /** Forgets what the store has; goes to the disk when there is nobody any more who would bring it there. */
  #settle(): void {
    const { confirmedBytes, over, storedUrl } = this.#link
    if (this.#kept !== undefined || storedUrl !== undefined) return
    this.#window.drop(confirmedBytes - this.#confirmed)
    this.#confirmed = confirmedBytes
    if (over !== undefined) this.#keepSoon(over)
  }

  /** A disk that refuses is told to whoever writes next: here nobody would hear of it. */
  #keepSoon(reason: string): void {
    try {
      this.keep(reason)
    } catch (error) {
      this.#refused = error
    }
  }

  #sendAll(): void {
    this.#link.sendData(this.#window.from(this.#sent - this.#confirmed))
    this.#sent = this.bytes
  }
}

function dataFrames(chunks: readonly Uint8Array[]): Uint8Array[] {
  return chunks.flatMap((chunk) => {
    const frames: Uint8Array[] = []
    for (let at = 0; at < chunk.length; at += MAX_FRAME_BYTES) {
      const piece = chunk.subarray(at, at + MAX_FRAME_BYTES)
      frames.push(frameHeader(FRAME.data, piece.length), piece)
    }
    return frames
  })
}
