import { UploadError, isUploadError } from './error.ts'
import type { UploadErrorCode } from './error.ts'
import { reasonOf, show } from './text.ts'

const ADVICE: Readonly<
  Record<string, readonly [source: UploadErrorCode, target: UploadErrorCode, todo: string]>
> = {
  ENOENT: ['GONE', 'DENIED', 'it does not exist any more'],
  ELOOP: ['UNREADABLE', 'DENIED', 'it is a symbolic link, which is never followed'],
  EACCES: ['UNREADABLE', 'DENIED', 'give this user access to it'],
  EPERM: ['UNREADABLE', 'DENIED', 'give this user access to it'],
  EROFS: ['UNREADABLE', 'DENIED', 'the file system is read-only: mount it writable'],
  ENOTDIR: ['UNREADABLE', 'DENIED', 'a part of the path is not a directory'],
  EISDIR: ['UNREADABLE', 'OCCUPIED', 'a directory has that name'],
  ENAMETOOLONG: ['UNREADABLE', 'INVALID', 'the name is longer than the file system takes'],
  ENOSPC: ['FULL', 'FULL', 'the file system is full: free some space, it is tried again'],
  EDQUOT: ['FULL', 'FULL', 'the quota is used up: free some space, it is tried again'],
  EFBIG: ['TOO_LARGE', 'TOO_LARGE', 'the file system takes no file of this size'],
}

/** The system error code somewhere in the chain of causes, or the empty string. */
export function errnoOf(error: unknown): string {
  for (let e = error; e instanceof Error; e = e.cause) {
    if ('code' in e && typeof e.code === 'string') return e.code
  }
  return ''
}

/** Wrap what the file system threw while we tried to `verb` the file that we send (`source`) or write (`target`). */
export function fromFileError(
  side: 'source' | 'target',
  verb: string,
  path: string,
  cause: unknown,
): UploadError {
  if (isUploadError(cause)) return cause
  const known = ADVICE[errnoOf(cause)]
  const [source, target, todo] = known ?? ['UNREADABLE', 'STORE', reasonOf(cause)]
  const code = side === 'source' ? source : target
  // no descriptor or memory left, a fault of the disk: it may pass without a person
  const retryable = known === undefined ? { retryable: true } : {}
  const scope = side === 'target' && code === 'STORE' ? ({ scope: 'destination' } as const) : {}
  const message = `Cannot ${verb} ${show(path)}: ${todo}`
  return new UploadError(code, message, { cause, subject: path, ...retryable, ...scope })
}
