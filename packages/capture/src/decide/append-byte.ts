import { closeSync, constants, fstatSync, openSync, readFileSync, writeSync } from 'node:fs'
import { errorCode } from '../text.ts'

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants

/**
 * Appends one byte; its place in the file from 1, which no other process gets. Appending is atomic, so that
 * no lock is needed. Undefined when the file does not exist and is not to be created (0600).
 */
export function appendByte(
  file: string,
  byte: string,
  { create }: { readonly create: boolean },
): number | undefined {
  let fd: number
  try {
    const flags = O_WRONLY | O_APPEND | O_NOFOLLOW | (create ? O_CREAT : 0)
    fd = openSync(file, flags, 0o600)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    writeSync(fd, byte)
    return positionOf(fd) ?? fstatSync(fd).size
  } finally {
    closeSync(fd)
  }
}

/** Where the last write to `fd` ended, proc_pid_fdinfo(5): unlike the size, it never counts others. */
function positionOf(fd: number): number | undefined {
  try {
    const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')
    const position = /^pos:\t(\d+)$/m.exec(text)?.[1]
    return position === undefined ? undefined : Number(position)
  } catch {
    return undefined
  }
}
