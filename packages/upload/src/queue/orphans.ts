import { lstat, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Destination } from '../destination.ts'
import { parseRecord, type ResumeRecord } from '../resume-record.ts'

const STALE_MS = 3_600_000

/** Free what the store keeps of interrupted uploads whose file is gone; nothing else does. */
export async function dropOrphans(
  directory: string,
  records: readonly string[],
  bundles: readonly string[],
  destination: Destination,
  signal?: AbortSignal,
): Promise<void> {
  const waiting = new Set(bundles)
  for (const name of records) {
    const path = join(directory, name)
    if (!name.endsWith('.json')) {
      await dropStale(path)
      continue
    }
    const record = await parseRecord(path)
    if (!record) await dropStale(path)
    else if (!waiting.has(record.file) && !(await isThere(directory, record))) {
      await destination.abandon(join(directory, record.file), signal ? { signal } : {})
    }
  }
}

/** A temporary file of a killed run that wrote a record. */
async function dropStale(path: string): Promise<void> {
  const stats = await stat(path).catch(() => undefined)
  if (stats && Date.now() - stats.mtimeMs > STALE_MS) await rm(path, { force: true })
}

/** The file, also while it is written. */
async function isThere(directory: string, { file, unfinished }: ResumeRecord): Promise<boolean> {
  if (unfinished !== undefined && (await exists(join(directory, unfinished)))) return true
  // last: it gets this name only before it loses the other one
  return exists(join(directory, file))
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}
