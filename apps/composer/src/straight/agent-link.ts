import { type Socket, createConnection } from 'node:net'
import { FrameReader } from './frame-reader.ts'
import { FRAME, frame, frameHeader } from './frames.ts'

/** State of an upload as the agent tells it, with all its ETags; nothing of it is looked into here. */
export interface Resume {
  readonly partBytes: number
  readonly etags: readonly string[]
}

/** The agent of this node, as far as it answers. */
export class AgentLink {
  /** Called whenever there is news. */
  onNews: () => void = () => {}
  readonly #socket: Socket
  readonly #reader = new FrameReader()
  #resume: Resume | undefined
  #storedUrl: string | undefined
  #over: string | undefined

  /** Connects behind the caller's back: what is sent meanwhile waits. */
  constructor(path: string) {
    this.#socket = createConnection(path)
    this.#socket.on('data', (bytes: Buffer) => this.#hear(bytes))
    this.#socket.on('error', (error) => this.#end(`the agent cannot be reached: ${error.message}`))
    this.#socket.on('close', () => this.#end('the agent has gone'))
  }

  /** What the store has, and what is needed to go on behind it. */
  get resume(): Resume | undefined {
    return this.#resume
  }

  get confirmedBytes(): number {
    return (this.#resume?.partBytes ?? 0) * (this.#resume?.etags.length ?? 0)
  }

  /** Where the whole archive is, once the store has confirmed it. */
  get storedUrl(): string | undefined {
    return this.#storedUrl
  }

  /** Why nothing more is to be hoped for. */
  get over(): string | undefined {
    return this.#over
  }

  /** `pieces` stay as they are until they are confirmed, so that none is copied. */
  sendData(pieces: readonly Buffer[]): void {
    for (const piece of pieces) {
      this.#socket.write(frameHeader(FRAME.data, piece.length))
      this.#socket.write(piece)
    }
  }

  sendText(type: number, text: string): void {
    this.#socket.write(frame(type, text))
  }

  /** What is not confirmed is kept here, and sent no more. */
  leave(): void {
    this.onNews = () => {}
    // behind data that is still waiting it may come late or never: the file tells the agent too
    this.#socket.end(frame(FRAME.leave, ''))
  }

  close(): void {
    this.onNews = () => {}
    this.#socket.destroy()
  }

  #hear(bytes: Buffer): void {
    try {
      for (const { type, content } of this.#reader.push(bytes)) this.#take(type, content)
    } catch (error) {
      this.#end(error instanceof Error ? error.message : String(error))
    }
    this.onNews()
  }

  #take(type: number, content: Buffer): void {
    if (type === FRAME.confirmed) {
      const news = JSON.parse(content.toString()) as Resume
      this.#resume = { ...news, etags: [...(this.#resume?.etags ?? []), ...news.etags] }
    } else if (type === FRAME.stored) this.#storedUrl = content.toString()
    else if (type === FRAME.refused) this.#end(content.toString())
  }

  #end(reason: string): void {
    if (this.#over !== undefined) return
    this.#over = reason
    // first what we have goes into the file: an agent that sees no trace of it takes us for dead
    this.onNews()
    this.#socket.destroy()
  }
}
