/** What a HEAD tells of an object. */
export interface ObjectInfo {
  readonly bytes: number
  readonly etag: string
  readonly metadata: Readonly<Record<string, string>>
  /** False where the store encrypts with a key of its own, so that an ETag says nothing about the content. */
  readonly etagIsMd5: boolean
}

/** Names of the metadata that we give each object (`x-amz-meta-…`). */
export const META = {
  /** `FileSource.token`: which state of which file it was made from. */
  token: 'upload-token',
  /** SHA-256 of the content in hex, where it is known before the first byte is sent. */
  sha256: 'sha256',
  /** Part size, from which the ETag of a multipart object can be computed. */
  partBytes: 'part-bytes',
} as const

/** An ETag without the quotes that some stores add and others do not. */
export function bareEtag(etag: string | undefined): string {
  return (etag ?? '').replace(/^W\//, '').replaceAll('"', '')
}
