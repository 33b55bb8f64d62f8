import { createHash } from 'node:crypto'
import { throwIfAborted } from '../abortable.ts'
import type { FileSource } from '../file-source.ts'
import type { BufferPool } from './buffer-pool.ts'

export interface DigestOptions {
  readonly pool: BufferPool
  readonly signal?: AbortSignal | undefined
  /** Bytes that make up one digest. @default the whole file */
  readonly partBytes?: number
}

/** Digests of a file's parts in order, at least one, read through one buffer. */
export async function digests(
  source: FileSource,
  algorithm: 'md5' | 'sha256',
  { pool, signal, partBytes = Math.max(source.size, 1) }: DigestOptions,
): Promise<Buffer[]> {
  using loan = await pool.take(0, signal)
  const found: Buffer[] = []
  for (let start = 0; start < source.size || found.length === 0; start += partBytes) {
    const hash = createHash(algorithm)
    const end = Math.min(start + partBytes, source.size)
    for (let at = start; at < end; at += loan.buffer.length) {
      throwIfAborted(signal)
      hash.update(await source.read(loan.buffer, Math.min(loan.buffer.length, end - at), at))
    }
    found.push(hash.digest())
  }
  return found
}

/** Hex digest of the whole file. */
export async function wholeDigest(
  source: FileSource,
  algorithm: 'md5' | 'sha256',
  options: DigestOptions,
): Promise<string> {
  const [whole] = await digests(source, algorithm, options)
  return whole?.toString('hex') ?? ''
}
