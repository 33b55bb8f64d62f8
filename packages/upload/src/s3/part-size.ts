import { UploadError } from '../error.ts'

const MIB = 1024 * 1024
/** S3: every part but the last has at least 5 MiB. */
export const MIN_PART_BYTES: number = 5 * MIB
/** S3: an upload has at most 10,000 parts. */
export const MAX_PARTS = 10_000
/** S3: a part has at most 5 GiB. */
const MAX_PART_BYTES = 5 * 1024 * MIB
/** S3: an object has at most 5 TiB (most stores) to 48.8 TiB (AWS); the parts allow the latter. */
export const MAX_OBJECT_BYTES: number = MAX_PART_BYTES * MAX_PARTS

/** Smallest part size, `wanted` or more in whole MiB, with which `bytes` fit in 10,000 parts. */
export function partSize(bytes: number, wanted: number): number {
  const needed = Math.ceil(bytes / MAX_PARTS)
  if (needed > MAX_PART_BYTES) {
    throw new UploadError('TOO_LARGE', `${bytes} bytes are more than an S3 object can have`)
  }
  return needed <= wanted ? wanted : Math.ceil(needed / MIB) * MIB
}
