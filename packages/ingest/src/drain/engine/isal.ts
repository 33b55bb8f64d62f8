import { inflateRawSync } from 'node:zlib'
import { LAST_BLOCK, storedBlocks } from '../encode/deflate-blocks.ts'
import { loadKoffi, type Koffi, type NativeFunction } from './koffi.ts'
import type { Compressor, CompressorOptions } from '../encode/compressor.ts'
import type { Releasable } from '../encode/part-memory.ts'

/** The name of its first version with this interface; the same in 2.30 and 2.31. */
const LIBRARY = 'libisal.so.2'
/** Native threads that keep their stack between calls. */
const RESIDENT_CALLS = 8
/** Output of several blocks: they become 4 to 8 times smaller. */
const BLOCKS_OF_OUTPUT = 2

/** Offsets of the public fields of `struct isal_zstream`, and its size; igzip_lib.h. */
const STREAM = {
  bytes: 82_384,
  nextIn: 0,
  availIn: 8,
  nextOut: 16,
  availOut: 24,
  totalOut: 28,
  level: 40,
  levelBufferBytes: 44,
  levelBuffer: 48,
  endOfStream: 56,
  flush: 58,
} as const

const FULL_FLUSH = 2
/** ISAL_DEF_LVL1_DEFAULT, and more than ISAL_DEF_LVL3_DEFAULT. */
const LEVEL_BUFFER_BYTES = [0, 282_624, 524_288, 524_288]
/** Its highest level. */
export const MAX_ISAL_LEVEL = 3

/** Intel's ISA-L, loaded. */
export interface Isal {
  readonly koffi: Koffi
  crc32(bytes: Uint8Array, value: number): number
  stream(level: number): IsalStream
}

let loaded: { readonly path: string | undefined; readonly isal: Isal } | undefined

/** Loads ISA-L once. Throws where koffi (at `koffiPath`) or the library cannot be used. */
export function loadIsal(koffiPath: string | undefined): Isal {
  if (loaded === undefined || loaded.path !== koffiPath) {
    loaded = { path: koffiPath, isal: openIsal(loadKoffi(koffiPath)) }
  }
  return loaded.isal
}

/** ISA-L as a compressor: each block is a part that refers to nothing before it. */
export function isalCompressor(
  isal: Isal,
  level: number,
  memory: OutputMemory,
  { onError }: Pick<CompressorOptions, 'onError'>,
): Compressor {
  const stream = isal.stream(level)
  let closed = false
  return {
    run(bytes, done) {
      const output = memory.reserve(bytes.length)
      stream.prepare(bytes, output.buffer, output.used)
      stream.run((error, code) => {
        if (closed) return
        if (error) return onError(error)
        const length = stream.lengthOf(code)
        if (length === undefined) {
          memory.commit(output, 0).memory.release()
          return done({ chunks: storedBlocks(bytes), memory: [], isInput: true })
        }
        const { chunk, memory: used } = memory.commit(output, length)
        done({ chunks: [chunk], memory: [used] })
      })
    },
    close() {
      closed = true
    },
  }
}

/** Saves the memory for each call; koffi refuses once a library is loaded, as by other users of it. */
function keepStacks(koffi: Koffi): void {
  try {
    koffi.config({ resident_async_pools: RESIDENT_CALLS })
  } catch {
    // its default keeps two
  }
}

function openIsal(koffi: Koffi): Isal {
  keepStacks(koffi)
  const library = koffi.load(LIBRARY)
  const initialise = library.func('void isal_deflate_stateless_init(void *)')
  const deflate = library.func('int isal_deflate_stateless(void *)')
  const crc = library.func('uint32_t crc32_gzip_refl(uint32_t, void *, uint64_t)')
  const isal: Isal = {
    koffi,
    crc32: (bytes, value) => crc(value, bytes, bytes.length),
    stream: (level) => new IsalStream(koffi, { initialise, deflate }, level),
  }
  verify(isal)
  return isal
}

/** Another version could have another layout: a known block must come back from zlib. */
function verify(isal: Isal): void {
  const known = Buffer.alloc(65_536, 'a block that is known, and compresses well; ')
  for (let i = 0; i < known.length; i += 7) known[i] = (i * i) >> 8
  const output = Buffer.allocUnsafeSlow(known.length)
  const stream = isal.stream(1)
  stream.prepare(known, output, 0)
  const length = stream.lengthOf(stream.runNow())
  if (length === undefined) throw new Error(`${LIBRARY} did not compress a known block`)
  const back = inflateRawSync(Buffer.concat([output.subarray(0, length), LAST_BLOCK]))
  if (!back.equals(known)) throw new Error(`${LIBRARY} did not compress a known block as it should`)
}

interface Functions {
  readonly initialise: NativeFunction
  readonly deflate: NativeFunction
}

/**
 * A `struct isal_zstream` with its level buffer. Its memory is that of buffers, which V8 neither
 * moves nor frees while this object exists.
 */
class IsalStream {
  readonly #koffi: Koffi
  readonly #functions: Functions
  readonly #level: number
  // zeros: the initialisation of stateless streams leaves fields, such as the size of the window
  readonly #stream = Buffer.alloc(STREAM.bytes)
  readonly #levelBuffer: Buffer
  readonly #levelAddress: bigint

  constructor(koffi: Koffi, functions: Functions, level: number) {
    this.#koffi = koffi
    this.#functions = functions
    this.#level = level
    this.#levelBuffer = Buffer.allocUnsafeSlow(LEVEL_BUFFER_BYTES[level] ?? 0)
    this.#levelAddress = koffi.address(this.#levelBuffer)
  }

  /**
   * Sets the next block: `input`, compressed into `output` from `offset` on, ends with a full flush.
   * Neither buffer may change or be collected while it runs.
   */
  prepare(input: Uint8Array, output: Buffer, offset: number): void {
    const stream = this.#stream
    this.#functions.initialise(stream)
    stream.writeBigUInt64LE(this.#koffi.address(input), STREAM.nextIn)
    stream.writeUInt32LE(input.length, STREAM.availIn)
    stream.writeBigUInt64LE(this.#koffi.address(output) + BigInt(offset), STREAM.nextOut)
    // never more than the input has: it is stored uncopied then
    stream.writeUInt32LE(Math.min(output.length - offset, input.length), STREAM.availOut)
    stream.writeUInt32LE(this.#level, STREAM.level)
    stream.writeUInt32LE(this.#levelBuffer.length, STREAM.levelBufferBytes)
    stream.writeBigUInt64LE(this.#levelAddress, STREAM.levelBuffer)
    stream.writeUInt16LE(0, STREAM.endOfStream)
    stream.writeUInt16LE(FULL_FLUSH, STREAM.flush)
  }

  runNow(): number {
    return this.#functions.deflate(this.#stream)
  }

  /** On libuv's thread pool. */
  run(done: (error: Error | null, code: number) => void): void {
    this.#functions.deflate.async(this.#stream, done)
  }

  /** Length of the output; undefined where it did not fit, as of data that looks random. */
  lengthOf(code: number): number | undefined {
    return code === 0 ? this.#stream.readUInt32LE(STREAM.totalOut) : undefined
  }
}

/** A buffer of output, filled from its start. */
interface Output {
  readonly buffer: Buffer
  used: number
  users: number
}

/** Output buffers of all ISA-L compressors of one drain, used again once they are written. */
export class OutputMemory {
  readonly #bytes: number
  readonly #free: Output[] = []

  constructor(blockBytes: number) {
    this.#bytes = BLOCKS_OF_OUTPUT * blockBytes
  }

  /** A buffer with room for `bytes` more, until `commit`. */
  reserve(bytes: number): Output {
    const index = this.#free.findLastIndex(({ used }) => this.#bytes - used >= bytes)
    const [found] = index < 0 ? [] : this.#free.splice(index, 1)
    return found ?? { buffer: Buffer.allocUnsafeSlow(this.#bytes), used: 0, users: 0 }
  }

  /** Takes the next `length` bytes of it; `memory` is released once they are not needed any more. */
  commit(output: Output, length: number): { chunk: Uint8Array; memory: Releasable } {
    const start = output.used
    output.used += length
    output.users++
    this.#free.push(output)
    const release = (): void => {
      output.users--
      // not while a compressor writes into it
      if (output.users === 0 && this.#free.includes(output)) output.used = 0
    }
    return { chunk: output.buffer.subarray(start, output.used), memory: { release } }
  }
}
