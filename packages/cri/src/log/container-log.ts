/** A container's log, opened while it is there; read when there is time. */
export interface ContainerLog {
  /**
   * The last lines, of both streams in the order of the file, each ended by a newline; partial
   * records joined. Rejects with an `Error` that says why nothing could be read.
   */
  tail(lines: number): Promise<LogTail>
  close(): Promise<void>
}

export interface LogTail {
  readonly bytes: Buffer
  /** There were more bytes than the limit, so lines are missing or the first one is cut. */
  readonly truncated: boolean
}
