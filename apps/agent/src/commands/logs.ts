import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CommandContext } from '../context.ts'
import { codeOf } from '../error.ts'
import { redactor, visible } from '../log/redact.ts'
import { nodeFiles } from '../node/node-files.ts'

interface LogsOptions {
  /** Whether added lines are printed as well, until the signal is aborted. */
  readonly follow: boolean
  /** How many of the lines that exist. */
  readonly lines: number
}

/** Prints the end of the composer's log on this node. Exit code 1 where it cannot be read. */
export async function logs(
  { settings, log, signal }: CommandContext,
  { follow, lines }: LogsOptions,
): Promise<number> {
  const path = nodeFiles(settings.hostDir).composerLog
  const redact = redactor(settings.secrets)
  // version 9 wrote the names that crashed processes chose without escaping them
  const print = (texts: readonly string[]): void => {
    for (const text of texts) process.stdout.write(`${visible(redact(text))}\n`)
  }
  try {
    await using file = new LogFile(path)
    const there = await file.read(lines)
    if (there === undefined) {
      log.warn({ path }, 'there is no composer.log yet: no line was due at COMP_LOG_LEVEL')
    }
    print(there ?? [])
    if (follow) for await (const added of file.follow(signal)) print(added)
    return 0
  } catch (err) {
    log.error({ path, err }, 'cannot read the log of the composer')
    return 1
  }
}

const LOOK_MS = 500
const MAX_BYTES = 4 * 1024 * 1024
// whatever has the name: no link is followed, no FIFO blocks
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** A log that is appended to by whole lines and, when it is long, renamed to `<path>.1` and replaced by a new file. */
class LogFile {
  readonly #path: string
  #file: FileHandle | undefined
  #position = 0
  #rest = ''

  constructor(path: string) {
    this.#path = path
  }

  /**
   * The last `count` lines that are there, of at most 4 MiB; `undefined` where there is no file.
   * @throws NodeJS.ErrnoException; TypeError where it is no regular file
   */
  async read(count: number): Promise<string[] | undefined> {
    this.#file = await openLog(this.#path)
    const lines = await this.#added()
    if (lines.length < count) {
      await using older = await openLog(`${this.#path}.1`)
      if (older) lines.unshift(...(await textFrom(older, 0)).text.split('\n').slice(0, -1))
      else if (this.#file === undefined) return undefined
    }
    return count === 0 ? [] : lines.slice(-count)
  }

  /** Lines that are added from now on, until the signal; across renames and new files. */
  async *follow(signal: AbortSignal): AsyncGenerator<string[]> {
    while (!signal.aborted) {
      yield await this.#added()
      const current = await openLog(this.#path)
      const [old, now] = [await this.#file?.stat(), await current?.stat()]
      if (now !== undefined && (old?.ino !== now.ino || now.size < this.#position)) {
        yield await this.#added()
        await this.#file?.close()
        this.#file = current
        this.#position = 0
        this.#rest = ''
        continue
      }
      await current?.close()
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close()
  }

  async #added(): Promise<string[]> {
    if (this.#file === undefined) return []
    const { text, end } = await textFrom(this.#file, this.#position)
    this.#position = end
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    return lines
  }
}

async function openLog(path: string): Promise<FileHandle | undefined> {
  let file: FileHandle
  try {
    file = await open(path, FLAGS)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  if ((await file.stat()).isFile()) return file
  await file.close()
  throw new TypeError(`\`${path}\` is not a regular file`)
}

/** The text after `start`, or its last 4 MiB, which may begin within a line. */
async function textFrom(file: FileHandle, start: number): Promise<{ text: string; end: number }> {
  const { size } = await file.stat()
  const from = Math.max(start, size - MAX_BYTES)
  // a file that has become shorter keeps the old position: that is how it is noticed
  if (size <= from) return { text: '', end: start }
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
  return { text: buffer.toString('utf8', 0, bytesRead), end: from + bytesRead }
}
