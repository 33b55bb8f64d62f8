import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { errorCode, IngestError } from '../error.ts'

const { O_NOFOLLOW, O_NONBLOCK } = constants

/** Opens an existing file, following no link and waiting for no pipe; `verb` is for the error. */
export function openRegularFile(path: string, access: number, verb: string): number {
  const fd = openWithoutFollowing(path, access, verb)
  if (fstatSync(fd).isFile()) return fd
  closeSync(fd)
  throw notAFile(path, verb, 'it is not a regular file')
}

export function notAFile(path: string, verb: string, why: string): IngestError {
  return new IngestError('NOT_A_FILE', path, `Cannot ${verb} \`${path}\`: ${why}`)
}

function openWithoutFollowing(path: string, access: number, verb: string): number {
  try {
    return openSync(path, access | O_NOFOLLOW | O_NONBLOCK)
  } catch (error) {
    // what O_NOFOLLOW answers, open(2)
    if (errorCode(error) === 'ELOOP') throw notAFile(path, verb, 'it is a symbolic link')
    throw error
  }
}
