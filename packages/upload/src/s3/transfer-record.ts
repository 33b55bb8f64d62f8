import { basename } from 'node:path'
import { readRecord, writeRecord } from '../resume-record.ts'
import type { ResumeRecord } from '../resume-record.ts'
import { storeId } from './store.ts'
import type { Transfer } from './transfer.ts'

/** The record of a transfer; without an `uploadId` of one in a single request. */
export function newRecord(
  { store, source, key, unfinished }: Transfer,
  uploadId: string,
): ResumeRecord {
  return {
    file: basename(source.path),
    token: source.token,
    store: store.id,
    key,
    uploadId,
    partBytes: store.partBytes,
    etagIsMd5: true,
    ...(unfinished !== undefined && { unfinished }),
  }
}

/** Whether a record is of this store, and of this source and key where they are given. */
export function isOf(
  record: ResumeRecord,
  { store, source, key }: Pick<Transfer, 'store'> & Partial<Transfer>,
): boolean {
  return (
    // its endpoint may be spelled otherwise now
    storeId(record.store) === store.id &&
    (source === undefined || record.token === source.token) &&
    (key === undefined || record.key === key)
  )
}

/** Note that all was sent, so that the next attempt does not send it again only to learn that it may not verify it. */
export async function noteSent(transfer: Transfer, confirmed: boolean): Promise<void> {
  const record = { ...newRecord(transfer, ''), completed: true, confirmed }
  await writeRecord(transfer.source.path, record)
}

/** Whether an earlier run has sent this very transfer: `confirmed` by the store's answer, or else `unverified`. */
export async function sentBefore(
  transfer: Transfer,
): Promise<'confirmed' | 'unverified' | undefined> {
  const record = await readRecord(transfer.source.path)
  if (record?.completed !== true || !isOf(record, transfer)) return undefined
  return record.confirmed === true ? 'confirmed' : 'unverified'
}
