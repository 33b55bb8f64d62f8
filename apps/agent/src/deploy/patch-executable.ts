import { readSync, writeSync } from 'node:fs'

// elf(5): types of program headers and tags of the dynamic section
const PT_LOAD = 1
const PT_DYNAMIC = 2
const PT_INTERP = 3
const DT_NULL = 0n
const DT_STRTAB = 5n
const DT_RPATH = 15n

interface ProgramHeader {
  readonly type: number
  readonly offset: number
  readonly address: bigint
  readonly bytes: number
}

/**
 * Makes the executable open at `fd` find its loader and libraries in `directory`, in place.
 * It must be a little-endian 64-bit ELF with an interpreter and a DT_RPATH made long enough when
 * it was built; the loader keeps its file name. Throws a RangeError when `directory` is too long.
 */
export function relocateExecutable(fd: number, directory: string): void {
  const headers = programHeaders(fd)
  const interpreter = findHeader(headers, PT_INTERP, 'program interpreter')
  const old = read(fd, interpreter.offset, interpreter.bytes)
  const loader = old.toString('latin1', old.lastIndexOf('/') + 1, old.indexOf(0))
  const path = `${directory}/${loader}`
  const room = interpreter.bytes - 1
  if (Buffer.byteLength(path) > room) throw tooLong(directory, room - loader.length - 1)
  const rpath = findRpath(fd, headers)
  if (Buffer.byteLength(directory) > rpath.bytes) throw tooLong(directory, rpath.bytes)

  write(
    fd,
    Buffer.concat([Buffer.from(path), Buffer.alloc(interpreter.bytes)], interpreter.bytes),
    interpreter.offset,
  )
  // slashes at the end of a directory mean nothing and keep the room for the next relocation
  write(
    fd,
    Buffer.from(directory + '/'.repeat(rpath.bytes - Buffer.byteLength(directory))),
    rpath.offset,
  )
}

/** The directory in which the executable open at `fd` looks for its loader. */
export function librariesOf(fd: number): string {
  const interpreter = findHeader(programHeaders(fd), PT_INTERP, 'program interpreter')
  const path = read(fd, interpreter.offset, interpreter.bytes)
  return path.toString('utf8', 0, path.lastIndexOf('/'))
}

function programHeaders(fd: number): ProgramHeader[] {
  const header = read(fd, 0, 64)
  if (header.toString('latin1', 0, 4) !== '\x7fELF' || header[4] !== 2 || header[5] !== 1) {
    throw new TypeError('Expected a 64-bit little-endian ELF executable')
  }
  const offset = Number(header.readBigUInt64LE(32))
  const entryBytes = header.readUInt16LE(54)
  return Array.from({ length: header.readUInt16LE(56) }, (_, index) => {
    const entry = read(fd, offset + index * entryBytes, 56)
    return {
      type: entry.readUInt32LE(0),
      offset: Number(entry.readBigUInt64LE(8)),
      address: entry.readBigUInt64LE(16),
      bytes: Number(entry.readBigUInt64LE(32)),
    }
  })
}

function findRpath(fd: number, headers: ProgramHeader[]): { offset: number; bytes: number } {
  const { offset, bytes } = findHeader(headers, PT_DYNAMIC, 'dynamic section')
  const section = read(fd, offset, bytes)
  const values = new Map<bigint, bigint>()
  for (let at = 0; at + 16 <= bytes; at += 16) {
    const tag = section.readBigUInt64LE(at)
    if (tag === DT_NULL) break
    values.set(tag, section.readBigUInt64LE(at + 8))
  }
  const strings = values.get(DT_STRTAB)
  const rpath = values.get(DT_RPATH)
  if (strings === undefined || rpath === undefined)
    throw new TypeError('The executable has no DT_RPATH')
  const start = fileOffset(headers, strings + rpath)
  return { offset: start, bytes: read(fd, start, 4096).indexOf(0) }
}

function fileOffset(headers: ProgramHeader[], address: bigint): number {
  const segment = headers.find(
    (each) =>
      each.type === PT_LOAD &&
      address >= each.address &&
      address < each.address + BigInt(each.bytes),
  )
  if (!segment) throw new TypeError('The executable has a string outside its segments')
  return segment.offset + Number(address - segment.address)
}

function findHeader(headers: ProgramHeader[], type: number, what: string): ProgramHeader {
  const found = headers.find((each) => each.type === type)
  if (!found)
    throw new TypeError(`The executable has no ${what}: it is not one that can be relocated`)
  return found
}

function read(fd: number, offset: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes)
  readSync(fd, buffer, 0, bytes, offset)
  return buffer
}

function write(fd: number, bytes: Buffer, offset: number): void {
  writeSync(fd, bytes, 0, bytes.length, offset)
}

function tooLong(directory: string, room: number): RangeError {
  return new RangeError(
    `The directory \`${directory}\` has ${Buffer.byteLength(directory)} bytes, the executable has room for ${room}: use a shorter HOST_DIR`,
  )
}

/**
 * Option that the build gives the executable for Node (`execArgv` of its settings). It changes nothing (V8 profiles only when asked to) and has as many bytes as `--jitless`.
 */
export const JIT_OPTION = '--no-prof'
const NO_JIT_OPTION = '--jitless'
const CHUNK_BYTES = 4 * 1024 * 1024
const LENGTH_BYTES = 8

/**
 * Makes the executable open at `fd` run without memory that is executable and was written to, which
 * SELinux denies as `execmem`. Throws a TypeError where it has no place for that option.
 */
export function disableJit(fd: number): void {
  const offset = findOption(fd, JIT_OPTION)
  if (offset === undefined) {
    throw new TypeError(`The executable has no option \`${JIT_OPTION}\`: it cannot run without JIT`)
  }
  writeSync(fd, NO_JIT_OPTION, offset, 'latin1')
}

/** Whether the executable open at `fd` was made to run without JIT. */
export function isJitDisabled(fd: number): boolean {
  return findOption(fd, NO_JIT_OPTION) !== undefined
}

/** Where the option is in the file: in a single executable its text follows its length, 64 bits. */
function findOption(fd: number, option: string): number | undefined {
  const text = Buffer.alloc(LENGTH_BYTES + option.length)
  text.writeUInt8(option.length)
  text.write(option, LENGTH_BYTES, 'latin1')
  const chunk = Buffer.alloc(CHUNK_BYTES)
  for (let position = 0; ; position += CHUNK_BYTES - text.length) {
    const bytes = readSync(fd, chunk, 0, CHUNK_BYTES, position)
    const at = chunk.subarray(0, bytes).indexOf(text)
    if (at >= 0) return position + at + LENGTH_BYTES
    if (bytes < CHUNK_BYTES) return undefined
  }
}
