export interface CoreImageOptions {
  readonly bits: 32 | 64
  readonly byteOrder: 'little' | 'big'
  /** Bytes of each segment: `p_filesz`. */
  readonly segments: readonly number[]
  /** The number of segments is in section header 0, as the kernel writes it above 65,534. */
  readonly xnum?: boolean
}

/** The image of a core file: header, program headers, segments, as in elf(5). */
export function coreImage({ bits, byteOrder, segments, xnum = false }: CoreImageOptions): Buffer {
  const wide = bits === 64
  const [headerBytes, segmentBytes, sectionBytes] = wide ? [64, 56, 64] : [52, 32, 40]
  const dataAt = headerBytes + segments.length * segmentBytes
  const sectionAt = dataAt + segments.reduce((sum, size) => sum + size, 0)
  const image = Buffer.alloc(sectionAt + (xnum ? sectionBytes : 0), 0x5a)
  image.fill(0, 0, dataAt)
  image.fill(0, sectionAt)
  const view = new DataView(image.buffer, image.byteOffset, image.length)
  const little = byteOrder === 'little'
  const half = (at: number, value: number): void => view.setUint16(at, value, little)
  const word = (at: number, value: number): void =>
    wide ? view.setBigUint64(at, BigInt(value), little) : view.setUint32(at, value, little)

  image.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, little ? 1 : 2, 1])
  half(16, 4)
  word(wide ? 32 : 28, headerBytes)
  if (xnum) word(wide ? 40 : 32, sectionAt)
  half(wide ? 54 : 42, segmentBytes)
  half(wide ? 56 : 44, xnum ? 0xffff : segments.length)
  half(wide ? 58 : 46, xnum ? sectionBytes : 0)
  half(wide ? 60 : 48, xnum ? 1 : 0)
  let offset = dataAt
  for (const [i, size] of segments.entries()) {
    const at = headerBytes + i * segmentBytes
    view.setUint32(at, i === 0 ? 4 : 1, little)
    word(at + (wide ? 8 : 4), offset)
    word(at + (wide ? 32 : 16), size)
    offset += size
  }
  return image
}
