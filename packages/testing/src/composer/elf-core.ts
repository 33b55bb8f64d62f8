const HEADER_BYTES = 64
const PROGRAM_HEADER_BYTES = 56
const ET_CORE = 4
const EM_X86_64 = 62
const PT_LOAD = 1
const RUN_BYTES = 32 * 1024

/** A 64-bit ELF core of exactly `bytes`: headers that promise them, then a pattern with zero pages. */
export function elfCore(bytes: number): Buffer {
  const core = Buffer.alloc(bytes)
  core.write('\x7fELF\x02\x01\x01', 0, 'latin1')
  core.writeUInt16LE(ET_CORE, 16)
  core.writeUInt16LE(EM_X86_64, 18)
  core.writeUInt32LE(1, 20)
  core.writeBigUInt64LE(BigInt(HEADER_BYTES), 32)
  core.writeUInt16LE(HEADER_BYTES, 52)
  core.writeUInt16LE(PROGRAM_HEADER_BYTES, 54)
  core.writeUInt16LE(1, 56)
  const segmentAt = HEADER_BYTES + PROGRAM_HEADER_BYTES
  core.writeUInt32LE(PT_LOAD, HEADER_BYTES)
  core.writeBigUInt64LE(BigInt(segmentAt), HEADER_BYTES + 8)
  core.writeBigUInt64LE(BigInt(bytes - segmentAt), HEADER_BYTES + 32)
  // half of it is left zero, as in real memory
  for (let run = RUN_BYTES; run < bytes; run += 2 * RUN_BYTES) {
    for (let at = run; at < Math.min(run + RUN_BYTES, bytes); at++) core[at] = (at * at) >> 5
  }
  return core
}
