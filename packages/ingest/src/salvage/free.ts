/**
 * Gives the memory of a buffer that nobody uses any more back at once. zlib makes a new one for
 * each output, and left to itself V8 collects them when there are 64 MiB: more than an agent has.
 */
export function free({ buffer }: Buffer): void {
  // the smaller ones lie together in one pool
  if (buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize) buffer.transfer(0)
}
