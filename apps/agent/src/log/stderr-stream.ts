import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import type { DestinationStream } from 'pino'
import { codeOf } from '../error.ts'

const MAX_WAITING_BYTES = 1024 * 1024
const RETRY_MS = 100
const EXIT_MS = 500
const EXIT_RETRY_MS = 10
const STDERR = 2

/**
 * Writes whole lines to stderr at once, and, where it is a pipe that no one reads, keeps up to 1 MiB
 * of them until it is read: a log that is not read must not stop the process. Lines beyond are lost,
 * and counted in a line of their own. At the exit it waits for its reader for half a second.
 */
export class StderrStream implements DestinationStream {
  readonly #fd: number
  readonly #lostLine: (lost: number) => string
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #lost = 0
  #timer: NodeJS.Timeout | undefined

  /** `lostLine` makes the line about so many lost ones. */
  constructor(lostLine: (lost: number) => string, fd: number = STDERR) {
    this.#lostLine = lostLine
    this.#fd = withoutBlocking(fd)
    process.on('exit', () => this.#flushAtExit())
  }

  write(line: string): void {
    const bytes = Buffer.from(line)
    if (this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) {
      this.#lost++
      return
    }
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (this.#timer === undefined) this.#flush()
  }

  /** Writes what the pipe takes; whether that is all. */
  #flush(): boolean {
    clearTimeout(this.#timer)
    this.#timer = undefined
    while (this.#writeFirst()) {
      if (this.#waiting.length > 0 || this.#lost === 0) continue
      const line = Buffer.from(this.#lostLine(this.#lost))
      this.#lost = 0
      this.#waiting.push(line)
      this.#waitingBytes += line.length
    }
    if (this.#waiting.length === 0) return true
    this.#timer = setTimeout(() => this.#flush(), RETRY_MS).unref()
    return false
  }

  /** Writes the first of the lines that wait; `false`: there is none, or the pipe is full. */
  #writeFirst(): boolean {
    const [first] = this.#waiting
    if (first === undefined) return false
    let written: number
    try {
      written = writeSync(this.#fd, first)
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') return false
      written = first.length // its reader is gone, or the disk is full: there is no other place to say so
    }
    this.#waitingBytes -= written
    if (written < first.length) this.#waiting[0] = first.subarray(written)
    else this.#waiting.shift()
    return true
  }

  #flushAtExit(): void {
    const until = performance.now() + EXIT_MS
    const cell = new Int32Array(new SharedArrayBuffer(4))
    while (!this.#flush() && performance.now() < until) Atomics.wait(cell, 0, 0, EXIT_RETRY_MS)
  }
}

/**
 * The same pipe by an open file of our own that does not block: others write to `fd`, too. `fd` itself
 * where it is no pipe, or may not be opened again.
 */
function withoutBlocking(fd: number): number {
  try {
    if (!fstatSync(fd).isFIFO()) return fd
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch {
    return fd
  }
}
