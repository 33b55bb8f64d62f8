import { crc32 } from 'node:zlib'
import { ElfMeter } from '../elf/elf-meter.ts'

/** What the data of an entry expands to, without keeping it. */
export class Plain {
  bytes = 0
  crc32 = 0
  readonly elf: ElfMeter = new ElfMeter()

  push(bytes: Buffer): void {
    this.bytes += bytes.length
    this.crc32 = crc32(bytes, this.crc32)
    this.elf.push(bytes)
  }
}
