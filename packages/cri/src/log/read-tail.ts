import type { FileHandle } from 'node:fs/promises'
import { at, type JsonValue, textAt } from '../json.ts'

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

/** A line of a container's output, its partial records joined. */
interface Line {
  readonly parts: readonly Buffer[]
  /** The line begins within the piece: no earlier part of it is missing. */
  readonly headed: boolean
}

// <RFC3339Nano> <stdout|stderr> <F|P, perhaps with more tags after a colon> <text>
const HEADER = /^\S{10,40} (stdout|stderr) ([FP])(?::\S*)? ?/
const MAX_HEADER = 160
const OPENING_BRACE = 0x7b

interface LogRecord {
  readonly stream: string
  readonly text: Buffer
  /** It ends the line. */
  readonly isLast: boolean
}

interface Stream {
  parts: Buffer[]
  headed: boolean
}

/**
 * The lines of a piece of a log file, in CRI's format or that of docker's JSON logs, in the order in
 * which they ended. Where the piece does not begin at the start of the log (`fromStart`), its first
 * record may be cut and is skipped.
 */
function parseLog(piece: Buffer, fromStart: boolean): readonly Line[] {
  const lines: Line[] = []
  const streams = new Map<string, Stream>([
    ['stdout', { parts: [], headed: fromStart }],
    ['stderr', { parts: [], headed: fromStart }],
  ])
  const end = (stream: Stream): void => {
    lines.push({ parts: stream.parts, headed: stream.headed })
    stream.parts = []
    stream.headed = true
  }
  const newline = piece.indexOf(10)
  let position = fromStart ? 0 : newline + 1
  if (!fromStart && newline === -1) return lines
  while (position < piece.length) {
    const next = piece.indexOf(10, position)
    const record = piece.subarray(position, next === -1 ? piece.length : next)
    position += record.length + 1
    const parsed = parseCri(record) ?? parseDocker(record)
    const stream = streams.get(parsed?.stream ?? '')
    if (parsed === undefined || stream === undefined) {
      // neither format: kept as it is
      lines.push({ parts: [record], headed: true })
      continue
    }
    stream.parts.push(parsed.text)
    if (parsed.isLast) end(stream)
  }
  // a process that died within a line has written its last line
  for (const stream of streams.values()) if (stream.parts.length > 0) end(stream)
  return lines
}

function parseCri(record: Buffer): LogRecord | undefined {
  const [header, stream, tag] = HEADER.exec(record.toString('latin1', 0, MAX_HEADER)) ?? []
  if (header === undefined || stream === undefined) return undefined
  return { stream, text: record.subarray(header.length), isLast: tag === 'F' }
}

/** A record of docker's json-file driver: `{"log":"text\n","stream":"stderr","time":"…"}`. */
function parseDocker(record: Buffer): LogRecord | undefined {
  if (record[0] !== OPENING_BRACE) return undefined
  try {
    const value: JsonValue = JSON.parse(record.toString())
    const log = at(value, 'log')
    const stream = textAt(value, 'stream')
    if (typeof log !== 'string' || stream === undefined) return undefined
    // docker cuts a line at 16 KiB; only the last part has the newline
    return { stream, text: Buffer.from(log.replace(/\n$/, '')), isLast: log.endsWith('\n') }
  } catch {
    return undefined
  }
}
