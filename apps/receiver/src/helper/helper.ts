import { type ChildProcess, spawn } from 'node:child_process'
import { isSea } from 'node:sea'
import { isReply, type Reply, type Request } from './messages.ts'

/** A request that has one reply. */
export type Question = Exclude<Request, { type: 'lookup' | 'close' | 'drop' }>
/** What a helper does: look up owners and read processes, or make reports. */
export type HelperKind = 'lookups' | 'reports'
type Listener = (reply: Reply | undefined) => void

/** One helper process; given up by SIGKILL, which ends also a read of a FUSE mount or of NFS. */
export class Helper {
  /** Ask another one: this one has a thread that hangs, or has ended. */
  retired = false
  /** It has loaded its code. */
  isReady = false
  readonly #child: ChildProcess
  readonly #ready = Promise.withResolvers<void>()
  readonly #listeners = new Map<number, Listener>()

  /** `program`: the arguments by which this Node runs the receiver. */
  constructor(kind: HelperKind, program: readonly string[] = programArguments()) {
    this.#child = spawn(process.execPath, [...program, 'helper', kind], {
      // one executable serves several programs: the name selects it
      ...(isSea() && { argv0: process.argv0 }),
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'advanced',
    })
    this.#child.on('message', (message: unknown) => {
      if (!isReply(message)) return
      if (message.type === 'stuck') this.retire()
      else if (message.type === 'ready') this.#setReady()
      else this.#listeners.get(message.id)?.(message)
    })
    this.#child.on('error', () => this.#end())
    this.#child.on('exit', () => this.#end())
    // it ends with this process, and does not keep it
    this.#child.unref()
    this.#child.channel?.unref()
  }

  /** Resolves when it has loaded its code, or has ended. */
  get ready(): Promise<void> {
    return this.#ready.promise
  }

  /** `listener` gets each reply to `id`, and undefined when the helper has ended. */
  send(request: Request, listener?: Listener): void {
    if ('id' in request && listener !== undefined) this.#listeners.set(request.id, listener)
    if (this.#child.connected) this.#child.send(request, () => {})
    else listener?.(undefined)
  }

  /** The first reply; undefined when there is none in time. */
  async ask(request: Question, timeoutMs: number): Promise<Reply | undefined> {
    const answer = Promise.withResolvers<Reply | undefined>()
    const timer = setTimeout(() => answer.resolve(undefined), timeoutMs)
    this.send(request, answer.resolve)
    try {
      return await answer.promise
    } finally {
      clearTimeout(timer)
      this.forget(request.id)
    }
  }

  forget(id: number): void {
    this.#listeners.delete(id)
    if (this.retired && this.#listeners.size === 0) this.kill()
  }

  /** No new requests; what is open gets its answers, as far as they come. */
  retire(): void {
    this.retired = true
    if (this.#listeners.size === 0) this.kill()
  }

  kill(): void {
    this.retired = true
    this.#child.kill('SIGKILL')
  }

  #setReady(): void {
    this.isReady = true
    this.#ready.resolve()
  }

  #end(): void {
    this.retired = true
    this.#ready.resolve()
    for (const listener of this.#listeners.values()) listener(undefined)
    this.#listeners.clear()
  }
}

/** One executable may be Node and the program in one. */
function programArguments(): readonly string[] {
  return isSea() ? [] : [...process.execArgv, process.argv[1] ?? '']
}
