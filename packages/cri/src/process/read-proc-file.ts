import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

export interface ProcFile {
  readonly bytes: Buffer
  /** There was more than `maxBytes`. */
  readonly truncated: boolean
}

// a FIFO or a terminal where a file should be must not stop us, nor a link lead us elsewhere
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY

/** At most `maxBytes` of a file of procfs, whose size is not known beforehand; throws a system error. */
export function readProcFile(path: string, maxBytes: number): ProcFile {
  const fd = openSync(path, FLAGS)
  try {
    if (!fstatSync(fd).isFile()) throw new Error(`\`${path}\` is not a regular file`)
    const chunks: Buffer[] = []
    let length = 0
    // one byte more than wanted tells whether there is more
    while (length <= maxBytes) {
      const chunk = Buffer.allocUnsafe(Math.min(65_536, maxBytes + 1 - length))
      const read = readSync(fd, chunk)
      if (read === 0) break
      chunks.push(chunk.subarray(0, read))
      length += read
    }
    const bytes = Buffer.concat(chunks, Math.min(length, maxBytes))
    return { bytes, truncated: length > maxBytes }
  } finally {
    closeSync(fd)
  }
}
