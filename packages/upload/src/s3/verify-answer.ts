import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { UploadError } from '../error.ts'
import { show } from '../text.ts'

/** What a store answers to a request with content. */
export interface Answer {
  readonly ETag?: string | undefined
  readonly ChecksumCRC32?: string | undefined
  readonly ServerSideEncryption?: string | undefined
  readonly SSECustomerAlgorithm?: string | undefined
}

/** An ETag without the quotes that some stores add and others do not. */
export function bareEtag(etag: string | undefined): string {
  return (etag ?? '').replace(/^W\//, '').replaceAll('"', '')
}

/** CRC-32 as S3 writes it: four bytes, base64. */
export function s3Crc32(body: Buffer): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc32(body))
  return bytes.toString('base64')
}

export function md5Of(body: Buffer): string {
  return createHash('md5').update(body).digest('hex')
}

export function isMd5(etag: string): boolean {
  return /^[0-9a-f]{32}$/.test(etag)
}

/** False where the store encrypts with a key of its own, so that an ETag is not computed from the content. */
export function etagIsMd5({ ServerSideEncryption = '', SSECustomerAlgorithm }: Answer): boolean {
  return !ServerSideEncryption.startsWith('aws:kms') && SSECustomerAlgorithm === undefined
}

/**
 * Whether an answer confirms what was sent: the store has checked the signed SHA-256 of the request, and answers
 * with the checksum of this content, else with its ETag (`isPlain`: where that is an MD5, it is of the content).
 */
export function confirms(answer: Answer, body: Buffer, isPlain: boolean): boolean {
  const etag = bareEtag(answer.ETag)
  const { ChecksumCRC32: checksum } = answer
  if (checksum !== undefined) return checksum === s3Crc32(body)
  return etag !== '' && (!isPlain || !isMd5(etag) || etag === md5Of(body))
}

/** Whether this is the ETag of an object that was joined from these parts; none of the usual form is no evidence. */
export function isJoinedFrom(partEtags: readonly string[], etag: string): boolean {
  if (!/^[0-9a-f]{32}-\d+$/.test(etag) || !partEtags.every(isMd5)) return true
  const all = Buffer.concat(partEtags.map((each) => Buffer.from(each, 'hex')))
  return etag === `${md5Of(all)}-${partEtags.length}`
}

/** The error of an answer that confirms nothing. */
export function unconfirmed(url: string): UploadError {
  return new UploadError(
    'MISMATCH',
    `The answer of the store does not confirm the content of ${show(url)}: the file is kept and sent again`,
    { subject: url },
  )
}

/** The error of a part that has no ETag, or that of another part. */
export function mixedUp(url: string, part: number): UploadError {
  return new UploadError(
    'MISMATCH',
    `The store answered part ${part} of ${show(url)} with no ETag or with another part's: it is sent again`,
    { subject: url },
  )
}
