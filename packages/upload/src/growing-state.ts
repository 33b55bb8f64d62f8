import { lstat } from 'node:fs/promises'
import { basename } from 'node:path'
import { UploadError } from './error.ts'
import { type FileSource, tokenOf } from './file-source.ts'
import { readRecord, type ResumeRecord } from './resume-record.ts'
import { show } from './text.ts'

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

/** Whether a part of this file is only in an upload: the file then reads as zeros there, and takes no space. */
export function hasFreedParts(
  { size, allocatedBytes }: Pick<FileSource, 'size' | 'allocatedBytes'>,
  record: ResumeRecord | undefined,
): boolean {
  const { freed = [], partBytes = 0 } = record ?? {}
  return freed.length > 0 && size - allocatedBytes >= partBytes / 2
}

/** The error of a file with freed parts whose upload can never become the object; `why`: a clause about the upload. */
export function lostUpload(
  { path }: Pick<FileSource, 'path'>,
  why: string,
  cause?: unknown,
): UploadError {
  const last = cause instanceof Error ? ` (${show(cause.message)})` : ''
  return new UploadError(
    'LOST',
    `A part of ${show(path)} was only in its upload, which ${why}: that part is lost${last}`,
    { subject: path, cause },
  )
}
