/** A 32-bit field that says: look into the Zip64 extra field. APPNOTE 4.4.1.4 */
export const SEE_ZIP64 = 0xffffffff

const ZIP64 = 0x0001

/** The Zip64 extra field holding `values`, 8 bytes each; APPNOTE 4.5.3. */
export function zip64Extra(values: readonly number[]): Buffer {
  const extra = Buffer.alloc(4 + 8 * values.length)
  extra.writeUInt16LE(ZIP64, 0)
  extra.writeUInt16LE(8 * values.length, 2)
  for (const [i, value] of values.entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i)
  return extra
}
