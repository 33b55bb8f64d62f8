/** Pointer encodings of `.eh_frame`; Linux Standard Base, DWARF Extensions. */
export const DW_EH_PE = { PCREL: 0x10, DATAREL: 0x30, OMIT: 0xff, FORMAT: 0x0f } as const

/** Thrown when a table ends inside of a value, or has one that no unwinder knows. */
export class MalformedTable extends Error {
  override readonly name = 'MalformedTable'
}

/** Reads the numbers of DWARF in order. */
export class ByteCursor {
  readonly bytes: Buffer
  at: number

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length
  }

  u8(): number {
    const value = this.bytes[this.at]
    if (value === undefined) throw new MalformedTable('a value ends behind its table')
    this.at++
    return value
  }

  u16(): number {
    return this.u8() | (this.u8() << 8)
  }

  u32(): number {
    return this.u16() + this.u16() * 0x10000
  }

  i32(): number {
    return this.u32() | 0
  }

  u64(): number {
    return this.u32() + this.u32() * 2 ** 32
  }

  i64(): number {
    return this.u32() + this.i32() * 2 ** 32
  }

  uleb(): number {
    let result = 0
    let factor = 1
    for (;;) {
      const byte = this.u8()
      result += (byte & 0x7f) * factor
      if (byte < 0x80) return result
      factor *= 128
      if (factor > 2 ** 63) throw new MalformedTable('a LEB128 number is too long')
    }
  }

  sleb(): number {
    let result = 0
    let factor = 1
    for (;;) {
      const byte = this.u8()
      result += (byte & 0x7f) * factor
      factor *= 128
      if (byte < 0x80) return (byte & 0x40) === 0 ? result : result - factor
      if (factor > 2 ** 63) throw new MalformedTable('a LEB128 number is too long')
    }
  }

  block(): Buffer {
    const length = this.uleb()
    const block = this.bytes.subarray(this.at, this.at + length)
    if (block.length < length) throw new MalformedTable('a block ends behind its table')
    this.at += length
    return block
  }

  /** A pointer in this encoding; `here` is the address of the cursor, `data` that of `.eh_frame_hdr`. */
  pointer(encoding: number, here: number, data = 0): number {
    const value = this.#pointerValue(encoding & DW_EH_PE.FORMAT)
    const base = encoding & 0x70
    if (base === 0) return value
    if (base === DW_EH_PE.PCREL) return value + here
    if (base === DW_EH_PE.DATAREL) return value + data
    throw new MalformedTable('the encoding of a pointer is not known')
  }

  #pointerValue(format: number): number {
    switch (format) {
      case 0:
      case 4:
        return this.u64()
      case 1:
        return this.uleb()
      case 2:
        return this.u16()
      case 3:
        return this.u32()
      case 9:
        return this.sleb()
      case 10:
        return (this.u16() << 16) >> 16
      case 11:
        return this.i32()
      case 12:
        return this.i64()
      default:
        throw new MalformedTable('the encoding of a pointer is not known')
    }
  }
}
