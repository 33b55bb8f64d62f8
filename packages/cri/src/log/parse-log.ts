/** A line of a container's output, its partial records joined. */
export interface Line {
  readonly parts: readonly Buffer[]
  /** The line begins within the piece: no earlier part of it is missing. */
  readonly headed: boolean
}

// <RFC3339Nano> <stdout|stderr> <F|P, perhaps with more tags after a colon> <text>
const HEADER = /^\S{10,40} (stdout|stderr) ([FP])(?::\S*)? ?/
const MAX_HEADER = 160

interface Stream {
  parts: Buffer[]
  headed: boolean
}

/**
 * The lines of a piece of a CRI log file, in the order in which they ended. Where the piece does not
 * begin at the start of the log (`fromStart`), its first record may be cut and is skipped.
 */
export function parseLog(piece: Buffer, fromStart: boolean): readonly Line[] {
  const lines: Line[] = []
  const streams: Record<string, Stream> = {
    stdout: { parts: [], headed: fromStart },
    stderr: { parts: [], headed: fromStart },
  }
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
    const [header, name, tag] = HEADER.exec(record.toString('latin1', 0, MAX_HEADER)) ?? []
    const stream = name === undefined ? undefined : streams[name]
    if (header === undefined || stream === undefined) {
      // not the format of CRI: kept as it is
      lines.push({ parts: [record], headed: true })
      continue
    }
    stream.parts.push(record.subarray(header.length))
    if (tag === 'F') end(stream)
  }
  // a process that died within a line has written its last line
  for (const stream of Object.values(streams)) if (stream.parts.length > 0) end(stream)
  return lines
}
