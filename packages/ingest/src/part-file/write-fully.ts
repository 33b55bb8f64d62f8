import { writeSync, writevSync } from 'node:fs'

// IOV_MAX: writev(2) takes no more
const MAX_VECTOR = 1024

/** Writes all of `chunks` from `position` on, however little the kernel takes at a time; returns their length. */
export function appendFully(fd: number, chunks: readonly Uint8Array[], position: number): number {
  let done = 0
  for (let i = 0; i < chunks.length; i += MAX_VECTOR) {
    let rest = chunks.length <= MAX_VECTOR ? chunks : chunks.slice(i, i + MAX_VECTOR)
    while (rest.length > 0) {
      const written = writevSync(fd, rest, position + done)
      done += written
      rest = after(rest, written)
    }
  }
  return done
}

/** Overwrites at `position`. */
export function overwriteFully(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done)
  }
}

function after(chunks: readonly Uint8Array[], written: number): readonly Uint8Array[] {
  let left = written
  for (const [i, chunk] of chunks.entries()) {
    if (left < chunk.length) return [chunk.subarray(left), ...chunks.slice(i + 1)]
    left -= chunk.length
  }
  return []
}
