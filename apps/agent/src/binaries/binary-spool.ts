import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isBinaryPart, isBuildId, STORED_BINARIES } from '@core-dump-handler/bundle'
import { codeOf } from '../error.ts'
import type { SpoolLimits } from '../spool/choose-evictions.ts'

/** A binary that waits for its upload. */
export interface WaitingBinary {
  readonly buildId: string
  readonly path: string
  readonly bytes: number
  readonly mtimeMs: number
}

/** Oldest first; empty where there is no such directory. */
export async function listBinaries(directory: string): Promise<WaitingBinary[]> {
  const found: WaitingBinary[] = []
  for (const buildId of (await namesIn(directory)).filter(isBuildId)) {
    const path = join(directory, buildId)
    const stats = await lstat(path).catch(() => undefined)
    if (stats?.isFile() !== true) continue
    found.push({ buildId, path, bytes: stats.size, mtimeMs: stats.mtimeMs })
  }
  return found.toSorted((a, b) => a.mtimeMs - b.mtimeMs)
}

/** Those that the limits of the spool leave no room for beside the bundles: a later crash brings them again. */
export function chooseExcess(
  binaries: readonly WaitingBinary[],
  { maxBytes, maxAgeMs }: SpoolLimits,
  bundleBytes: number,
  nowMs: number,
): WaitingBinary[] {
  let bytes = bundleBytes
  return binaries.filter((binary) => {
    if (maxAgeMs > 0 && binary.mtimeMs < nowMs - maxAgeMs) return true
    if (maxBytes > 0 && bytes + binary.bytes > maxBytes) return true
    bytes += binary.bytes
    return false
  })
}

/** What composer and agent have left of BINARIES=true. */
export async function removeBinaries(directory: string): Promise<void> {
  for (const name of await namesIn(directory)) {
    const isOurs =
      isBuildId(name) || isBinaryPart(name) || name.startsWith(STORED_BINARIES) || isRecord(name)
    if (isOurs) await rm(join(directory, name), { force: true })
  }
}

/** Of an interrupted upload. */
function isRecord(name: string): boolean {
  return /^\.[0-9a-f]+\.upload\.json/.test(name)
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}
