/** A message on the wire: one byte 0 (not compressed), its length in four, big-endian. */
export const PREFIX_BYTES = 5

export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(PREFIX_BYTES + message.length)
  framed.writeUInt32BE(message.length, 1)
  framed.set(message, PREFIX_BYTES)
  return framed
}

/** The one message in `chunks`; throws when there is less, more, or something else. */
export function unframe(chunks: readonly Buffer[]): Buffer {
  const answer = Buffer.concat(chunks)
  const whole = answer.length >= PREFIX_BYTES && answer[0] === 0
  if (!whole || answer.length !== PREFIX_BYTES + answer.readUInt32BE(1)) {
    throw new Error(`malformed frame of ${answer.length} bytes`)
  }
  return answer.subarray(PREFIX_BYTES)
}

/** The length that the prefix announces; 0 while it has not all come in the first chunk. */
export function announcedBytes([first]: readonly Buffer[]): number {
  return first !== undefined && first.length >= PREFIX_BYTES ? first.readUInt32BE(1) : 0
}
