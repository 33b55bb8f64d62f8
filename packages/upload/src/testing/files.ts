import { createHash, randomFillSync } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const MIB: number = 1024 * 1024

/** A directory of its own for one test. */
export async function scratch(): Promise<{ dir: string } & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), 'upload-'))
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) }
}

/** A file of random bytes: no two parts are equal. */
export async function randomFile(path: string, bytes: number): Promise<string> {
  await writeFile(path, randomFillSync(Buffer.alloc(bytes)))
  return path
}

export async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}
