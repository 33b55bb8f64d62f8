import { lstat } from 'node:fs/promises'
import { basename } from 'node:path'
import { tokenOf } from './file-source.ts'
import { readRecord } from './resume-record.ts'

/** What is left on the disk of a file whose parts were sent while it was written. */
export interface GrowingState {
  /** It was finished: as `finalPath` it can be uploaded, and under no other name. */
  readonly isFinished: boolean
  /** Bytes from the beginning on that were never freed. */
  readonly intactBytes: number
}

/** For a file whose writer died: undefined where no part of it was freed, so that all of it is here. */
export async function growingState(
  path: string,
  finalPath: string,
): Promise<GrowingState | undefined> {
  const record = await readRecord(finalPath)
  if (record?.unfinished !== basename(path)) return undefined
  if (record.freed === undefined || record.freed.length === 0) return undefined
  const stats = await lstat(path, { bigint: true })
  const isFinished = record.sealed === tokenOf(basename(finalPath), stats)
  return { isFinished, intactBytes: record.partBytes }
}
