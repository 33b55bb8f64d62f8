const HEADER_BYTES = 64
const PROGRAM_HEADER_BYTES = 56
const NOTE_AT = HEADER_BYTES + PROGRAM_HEADER_BYTES
const ET_DYN = 3
const EM_X86_64 = 62
const PT_NOTE = 4
const NT_GNU_BUILD_ID = 3

/** A 64-bit ELF library of `bytes` with this build-id in hex, and nothing that runs. */
export function elfBinary(buildId: string, bytes = 4096): Buffer {
  const id = Buffer.from(buildId, 'hex')
  const note = Buffer.alloc(16 + id.length)
  note.writeUInt32LE(4, 0)
  note.writeUInt32LE(id.length, 4)
  note.writeUInt32LE(NT_GNU_BUILD_ID, 8)
  note.write('GNU\0', 12, 'latin1')
  id.copy(note, 16)
  const file = Buffer.alloc(bytes)
  file.write('\x7fELF\x02\x01\x01', 0, 'latin1')
  file.writeUInt16LE(ET_DYN, 16)
  file.writeUInt16LE(EM_X86_64, 18)
  file.writeUInt32LE(1, 20)
  file.writeBigUInt64LE(BigInt(HEADER_BYTES), 32)
  file.writeUInt16LE(HEADER_BYTES, 52)
  file.writeUInt16LE(PROGRAM_HEADER_BYTES, 54)
  file.writeUInt16LE(1, 56)
  file.writeUInt32LE(PT_NOTE, HEADER_BYTES)
  file.writeBigUInt64LE(BigInt(NOTE_AT), HEADER_BYTES + 8)
  file.writeBigUInt64LE(BigInt(note.length), HEADER_BYTES + 32)
  note.copy(file, NOTE_AT)
  return file
}
