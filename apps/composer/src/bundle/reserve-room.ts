import { closeSync, constants, openSync, writeSync } from 'node:fs'

// open(2); Node does not name it: a file without a name, which is gone with its descriptor
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY
/** A manifest and a central directory, many times over. */
const RESERVED_BYTES = 64 * 1024

/**
 * Keeps a little of the disk, so that a core or a log that fills it leaves room for the record of
 * that. Returns what gives it back. Where it cannot be had (a disk that is full already, a file
 * system without O_TMPFILE) it does without.
 */
export function reserveRoom(directory: string): () => void {
  let fd: number | undefined
  try {
    fd = openSync(directory, O_TMPFILE | constants.O_WRONLY, 0o600)
    writeSync(fd, Buffer.alloc(RESERVED_BYTES))
  } catch {
    // what has been written of it is kept
  }
  return () => {
    if (fd !== undefined) closeSync(fd)
    fd = undefined
  }
}
