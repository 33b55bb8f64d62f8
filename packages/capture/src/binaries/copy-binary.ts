import { type BigIntStats, fstat, read } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { binaryPart } from '@core-dump-handler/bundle'
import { ElfFile, fileSource } from '@core-dump-handler/report'

const readFrom = promisify(read)

const CHUNK_BYTES = 256 * 1024
/** 64 MiB/s at most, and half of the time of a slower disk: cores have the rest. */
const MIN_PAUSE_MS = 4

export interface CopyBinaryOptions {
  readonly directory: string
  /** That of the file, by which the copy is named. */
  readonly buildId: string
  readonly maxBytes: number
  readonly signal: AbortSignal
}

/**
 * Copies the file behind a descriptor to `<directory>/<build-id>`, 0600, whole and on the disk before it has
 * that name; resolves with its size. The build-id is compared with that of the copy, as the file belongs to
 * another program. Nothing is left of a copy that fails. The caller has the lock of the directory.
 */
export async function copyBinary(
  fd: number,
  { directory, buildId, maxBytes, signal }: CopyBinaryOptions,
): Promise<number> {
  const before = await statOf(fd)
  const bytes = Number(before.size)
  if (bytes > maxBytes) throw new Error(`it has ${bytes} bytes, and there is room for ${maxBytes}`)
  const part = join(directory, binaryPart(buildId))
  // of a composer that was killed
  await rm(part, { force: true })
  await using copy = await open(part, 'wx+', 0o600)
  try {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
    for (let at = 0; at < bytes;) {
      signal.throwIfAborted()
      const startedMs = performance.now()
      const { bytesRead } = await readFrom(fd, buffer, 0, Math.min(CHUNK_BYTES, bytes - at), at)
      if (bytesRead === 0) break
      const { bytesWritten } = await copy.write(buffer, 0, bytesRead, at)
      at += bytesWritten
      await sleep(Math.max(MIN_PAUSE_MS, performance.now() - startedMs))
    }
    if (hasChanged(before, await statOf(fd))) throw new Error('it was written to meanwhile')
    const copied = buildIdOf(copy.fd)
    if (copied !== buildId) throw new Error(`its copy has the build-id ${copied ?? 'none'}`)
    await copy.sync()
    await rename(part, join(directory, buildId))
    return bytes
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}

/** In hex; undefined for a file without one, and for one that is no 64-bit little-endian ELF file. */
export function buildIdOf(fd: number): string | undefined {
  return ElfFile.open(fileSource(fd))?.buildId
}

function statOf(fd: number): Promise<BigIntStats> {
  return new Promise((resolve, reject) => {
    fstat(fd, { bigint: true }, (error, stats) => (error ? reject(error) : resolve(stats)))
  })
}

function hasChanged(before: BigIntStats, after: BigIntStats): boolean {
  // not ctime: a file of an image may be unlinked meanwhile
  return before.size !== after.size || before.mtimeNs !== after.mtimeNs
}
