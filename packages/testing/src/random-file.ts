import { createHash, randomFillSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'

export const MIB: number = 1024 * 1024

/** Write a file of random bytes: no two parts of it are equal. */
export async function randomFile(path: string, bytes: number): Promise<string> {
  await writeFile(path, randomFillSync(Buffer.alloc(bytes)))
  return path
}

/** SHA-256 of a file in hex. */
export async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}
