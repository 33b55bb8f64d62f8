import { randomFillSync } from 'node:crypto'
import { open } from 'node:fs/promises'

const BLOCK_BYTES = 1024 ** 2

/** A file of `mib` MiB that no store can compress or deduplicate. */
export async function makeFile(path: string, mib: number): Promise<string> {
  await using file = await open(path, 'w')
  const block = Buffer.alloc(BLOCK_BYTES)
  for (let i = 0; i < mib; i++) await file.write(randomFillSync(block))
  return path
}
