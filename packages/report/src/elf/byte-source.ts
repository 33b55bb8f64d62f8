import { fstatSync, readSync } from 'node:fs'

/** Bytes by position: a file, or a part of memory. */
export interface ByteSource {
  readonly size: number
  /** At most `length` bytes; fewer at the end, none beyond it or on a read error. */
  read(at: number, length: number): Buffer
  /** Fills `target` from `at` on; returns how many bytes there were. For long tables: nothing is allocated. */
  readInto(target: Uint8Array, at: number): number
}

const BLOCK_BYTES = 4096
const MAX_FAILURES = 3
const NOTHING = Buffer.alloc(0)

/** Blocks of several files, at most `maxBlocks` of 4 KiB; the oldest goes first. */
export class BlockCache {
  readonly #blocks = new Map<number, Buffer>()
  readonly #maxBlocks: number
  #sources = 0

  constructor(maxBlocks = 256) {
    this.#maxBlocks = maxBlocks
  }

  /** A number of its own for a source. */
  register(): number {
    return this.#sources++
  }

  /** A block of fewer than `leastBytes` is not kept: the next read may find all of it. */
  get(source: number, block: number, leastBytes: number, load: () => Buffer): Buffer {
    const key = source * 2 ** 32 + block
    const cached = this.#blocks.get(key)
    if (cached !== undefined) return cached
    const loaded = load()
    if (loaded.length < leastBytes) return loaded
    if (this.#blocks.size >= this.#maxBlocks) {
      for (const oldest of this.#blocks.keys()) {
        this.#blocks.delete(oldest)
        break
      }
    }
    this.#blocks.set(key, loaded)
    return loaded
  }
}

/** The file behind an open descriptor, which stays the caller's; read through `cache`. */
export function fileSource(fd: number, cache: BlockCache = new BlockCache(16)): ByteSource {
  const { size } = fstatSync(fd)
  const id = cache.register()
  // then each attempt may take seconds: what was read of a block is kept
  let isBroken = false
  const fill = (target: Uint8Array, at: number): number =>
    readFully(fd, target, at, () => (isBroken = true))
  const direct = (at: number, length: number): Buffer => {
    const buffer = Buffer.allocUnsafeSlow(length)
    return buffer.subarray(0, fill(buffer, at))
  }
  const leastBytes = (index: number): number =>
    isBroken ? 0 : Math.min(BLOCK_BYTES, size - index * BLOCK_BYTES)
  return {
    size,
    readInto: (target, at) => (at >= 0 && at < size ? fill(target, at) : 0),
    read(at, length) {
      if (!(at >= 0 && length > 0 && at < size)) return NOTHING
      const wanted = Math.min(length, size - at)
      const block = Math.floor(at / BLOCK_BYTES)
      const last = Math.floor((at + wanted - 1) / BLOCK_BYTES)
      if (wanted >= BLOCK_BYTES) return direct(at, wanted)
      const bytes = (index: number): Buffer =>
        cache.get(id, index, leastBytes(index), () => direct(index * BLOCK_BYTES, BLOCK_BYTES))
      const offset = at - block * BLOCK_BYTES
      if (last === block) return bytes(block).subarray(offset, offset + wanted)
      const parts: Buffer[] = []
      for (let index = block; index <= last; index++) parts.push(bytes(index))
      return Buffer.concat(parts).subarray(offset, offset + wanted)
    },
  }
}

export function bufferSource(buffer: Buffer): ByteSource {
  return {
    size: buffer.length,
    readInto(target, at) {
      const part = at >= 0 ? buffer.subarray(at, at + target.length) : NOTHING
      target.set(part)
      return part.length
    },
    read: (at, length) =>
      at >= 0 && length > 0 && at < buffer.length ? buffer.subarray(at, at + length) : NOTHING,
  }
}

function readFully(fd: number, target: Uint8Array, at: number, onBroken: () => void): number {
  let done = 0
  for (let failures = 0; done < target.length && failures < MAX_FAILURES;) {
    try {
      const read = readSync(fd, target, done, target.length - done, at + done)
      if (read === 0) break
      done += read
    } catch (error) {
      // of a broken disk what came before counts
      if (!isPassing(error)) {
        onBroken()
        break
      }
      failures++
    }
  }
  return done
}

/** EINTR, which libuv does not repeat, or no memory for a moment. */
function isPassing(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'EINTR' || code === 'EAGAIN' || code === 'ENOMEM'
}

/** 64 bits as a number; above 2^53 it is rounded, which is longer than any file and above any user address. */
export function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32
}

/** Text up to its NUL, of at most `maxBytes`. */
export function readCString(bytes: Buffer, at: number, maxBytes: number): string {
  const part = bytes.subarray(at, at + maxBytes)
  const end = part.indexOf(0)
  return part.toString('utf8', 0, end < 0 ? part.length : end)
}
