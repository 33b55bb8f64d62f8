import { ElfMeter } from '../elf/elf-meter.ts'
import type { Block } from './block-pool.ts'
import type { Ending } from './result.ts'
import type { BlockSource } from './source/block-source.ts'

export interface ReadAllOptions {
  readonly maxBytes: number
  readonly signal: AbortSignal | undefined
  readonly onData: ((bytes: Buffer) => Promise<void> | undefined) | undefined
  /** Must release each block. */
  readonly onBlock: (block: Block) => void
  /** Called after each block. */
  readonly onBytes: (bytes: number, elf: ElfMeter) => void
}

/** Reads until the end, the limit, the signal or a failure, and closes the source. */
export async function readAll(source: BlockSource, options: ReadAllOptions): Promise<Ending> {
  const { maxBytes, signal, onData, onBlock, onBytes } = options
  const elf = new ElfMeter()
  let bytes = 0
  let stopped: Ending['stopped']
  const abort = (): void => {
    // at the end of the source there is nothing left to stop
    if (source.closedAt === undefined) stopped ??= { cut: 'aborted', why: signal?.reason }
    source.close()
  }
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort, { once: true })
  try {
    for (let block = await source.next(); block !== undefined; block = await source.next()) {
      const taken = onData?.(block.buffer.subarray(0, block.length))
      if (taken !== undefined) await taken
      const room = maxBytes - bytes
      if (block.length > room) {
        block.length = room
        stopped = { cut: 'limit', why: undefined }
        source.close()
      }
      bytes += block.length
      elf.push(block.buffer.subarray(0, block.length))
      onBlock(block)
      onBytes(bytes, elf)
      if (stopped?.cut === 'limit') break
    }
  } finally {
    signal?.removeEventListener('abort', abort)
    source.close()
  }
  if (source.failure) stopped ??= { cut: 'read-error', why: source.failure }
  return { bytes, maxBytes, elf: elf.facts(), ...(stopped && { stopped }) }
}
