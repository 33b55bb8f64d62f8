import { close, constants, fstat, open, read } from 'node:fs'
import { promisify } from 'node:util'
import type { ProcFile } from './read-proc-file.ts'

/**
 * Reads files that the kernel fills from the memory of a process. Where that memory lies on a file
 * system of the process's own making (FUSE), such a read never returns: nobody waits for it.
 */
export interface MemoryReader {
  /** One file after the other; rejects when it is not done in time, or one before it is not. */
  read(path: string, maxBytes: number): Promise<ProcFile>
}

// not node:fs/promises: 1 ms and 0.4 MiB for each of many composers, at the time when they wait
const openFile = promisify(open)
const readFrom = promisify(read)
const statOf = promisify(fstat)
const closeFile = promisify(close)

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY

export function createMemoryReader(limitMs = 1000): MemoryReader {
  let previous: Promise<unknown> = Promise.resolve()
  let hanging: string | undefined

  async function readInTime(path: string, maxBytes: number): Promise<ProcFile> {
    // a read that hangs keeps a thread of the pool, and the core needs the others
    if (hanging !== undefined) throw new Error(`not tried, as reading \`${hanging}\` hangs`)
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      hanging = path
      const why = 'the memory it is in may lie on a file system that does not answer'
      late.reject(new Error(`not done within ${limitMs} ms: ${why}`))
    }, limitMs)
    try {
      return await Promise.race([readWhole(path, maxBytes), late.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    read: (path, maxBytes) => {
      const next = previous.then(() => readInTime(path, maxBytes))
      previous = next.catch(() => {})
      return next
    },
  }
}

async function readWhole(path: string, maxBytes: number): Promise<ProcFile> {
  const fd = await openFile(path, FLAGS)
  try {
    if (!(await statOf(fd)).isFile()) throw new Error(`\`${path}\` is not a regular file`)
    const chunks: Buffer[] = []
    let length = 0
    // one byte more than wanted tells whether there is more
    while (length <= maxBytes) {
      const chunk = Buffer.allocUnsafe(Math.min(65_536, maxBytes + 1 - length))
      const { bytesRead } = await readFrom(fd, chunk, 0, chunk.length, null)
      if (bytesRead === 0) break
      chunks.push(chunk.subarray(0, bytesRead))
      length += bytesRead
    }
    return {
      bytes: Buffer.concat(chunks, Math.min(length, maxBytes)),
      truncated: length > maxBytes,
    }
  } finally {
    await closeFile(fd)
  }
}
