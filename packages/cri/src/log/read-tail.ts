import type { FileHandle } from 'node:fs/promises'
import { type Line, parseLog } from './parse-log.ts'

export interface LogTail {
  readonly bytes: Buffer
  /** The log is longer than the limit: lines are missing, or the first one is cut. */
  readonly truncated: boolean
}

const FIRST_READ = 65_536
const NEWLINE = Buffer.from('\n')

/**
 * The last `count` lines of `files`, which follow one another, oldest first. Reads backwards, twice
 * as much each time, until all of these lines are whole or `maxBytes` are read.
 */
export async function readTail(
  files: readonly FileHandle[],
  count: number,
  maxBytes: number,
): Promise<LogTail> {
  const sizes: number[] = []
  for (const file of files) sizes.push((await file.stat()).size)
  const total = sizes.reduce((sum, size) => sum + size, 0)
  const limit = Math.min(total, maxBytes)
  for (let length = Math.min(FIRST_READ, limit); ; length = Math.min(length * 2, limit)) {
    const piece = await readLast(files, sizes, length)
    const lines = count > 0 ? parseLog(piece, length === total).slice(-count) : []
    const whole = lines.length === count && lines.every(({ headed }) => headed)
    if (whole || length === limit) {
      const truncated = !whole && length < total
      return { bytes: Buffer.concat(lines.flatMap(bytesOf)), truncated }
    }
  }
}

function bytesOf({ parts }: Line): readonly Buffer[] {
  return [...parts, NEWLINE]
}

/** The last `length` bytes of the concatenated files; fewer where one has become shorter. */
async function readLast(
  files: readonly FileHandle[],
  sizes: readonly number[],
  length: number,
): Promise<Buffer> {
  const chunks: Buffer[] = []
  let missing = length
  for (let index = files.length - 1; index >= 0 && missing > 0; index--) {
    const size = sizes[index] ?? 0
    const chunk = Buffer.alloc(Math.min(size, missing))
    const read = await files[index]?.read(chunk, 0, chunk.length, size - chunk.length)
    chunks.unshift(chunk.subarray(0, read?.bytesRead ?? 0))
    missing -= chunk.length
  }
  return Buffer.concat(chunks)
}
