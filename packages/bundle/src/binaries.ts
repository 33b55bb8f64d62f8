import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'

/** Directory in CORE_DIR, and prefix in the bucket, of the executables and libraries of crashed processes. */
export const BINARIES = 'binaries'

// lld's shortest hash has 8 bytes; readers of ELF files take at most 64
const BUILD_ID = /^(?:[0-9a-f]{2}){8,64}$/
const PART = /^\.((?:[0-9a-f]{2}){8,64})\.part$/

/** Whether it is a build-id in hex that a file and an object may be named by. */
export function isBuildId(text: string): boolean {
  return BUILD_ID.test(text)
}

/** `binaries/<build-id>`, the object of a binary. */
export function binaryKey(buildId: string): string {
  return `${BINARIES}/${buildId}`
}

/** `.<build-id>.part`, a binary that is being copied. */
export function binaryPart(buildId: string): string {
  return `.${buildId}.part`
}

export function isBinaryPart(file: string): boolean {
  return PART.test(file)
}

/** In `CORE_DIR/binaries`: a line for each binary that the store has, with the time when that was seen. */
export const STORED_BINARIES = '.stored'

// a bucket may expire its objects: what was seen long ago is uploaded again
const VALID_MS = 7 * 24 * 3_600_000
/** Some 10,000 lines, twice. */
const MAX_BYTES = 2 * 1024 * 1024
const LINE = /^([0-9a-f]{16,128}) (\d{1,16})$/gm

/** A line of `.stored`. */
export function formatStoredBinary(buildId: string, seenMs: number): string {
  return `${buildId} ${seenMs}\n`
}

/**
 * The build-ids that the store had in the last seven days, and when, in the order of the file; empty where
 * it cannot be read. At most 2 MiB of it are read.
 *
 * @param directory `CORE_DIR/binaries`
 */
export async function readStoredBinaries(
  directory: string,
  nowMs: number = Date.now(),
): Promise<Map<string, number>> {
  const stored = new Map<string, number>()
  for (const [, buildId = '', seen] of (await readStart(directory)).matchAll(LINE)) {
    const seenMs = Number(seen)
    if (!isBuildId(buildId) || seenMs > nowMs || nowMs - seenMs > VALID_MS) continue
    // the last line counts
    stored.delete(buildId)
    stored.set(buildId, seenMs)
  }
  return stored
}

async function readStart(directory: string): Promise<string> {
  try {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    await using file = await open(join(directory, STORED_BINARIES), flags)
    const { size } = await file.stat()
    const buffer = Buffer.alloc(Math.min(size, MAX_BYTES))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0)
    return buffer.toString('latin1', 0, bytesRead)
  } catch {
    return ''
  }
}
