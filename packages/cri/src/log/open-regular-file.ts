import { constants } from 'node:fs'
import { type FileHandle, open, readlink } from 'node:fs/promises'
import { sep } from 'node:path'

const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY
// <namespace>_<pod>_<uid>/<container>/<attempt>.log
const OWN_COMPONENTS = 3

/**
 * Open a log for reading. A pod may have /var/log mounted, and put links or FIFOs where its log
 * should be: nothing but a regular file is opened, and no link followed in the part of the path
 * that belongs to the pod. (/var/log/pods itself may well be a link of the administrator's.)
 */
export async function openRegularFile(path: string): Promise<FileHandle> {
  const file = await open(path, FLAGS)
  try {
    if (!(await file.stat()).isFile()) throw new Error(`\`${path}\` is not a regular file`)
    const opened = await readlink(`/proc/self/fd/${file.fd}`)
    // renamed by a rotation between the two calls: still the same directory
    if (ownDirectory(opened) !== ownDirectory(path)) {
      throw new Error(`\`${path}\` leads elsewhere, to \`${opened}\``)
    }
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

function ownDirectory(path: string): string {
  return path.split(sep).slice(-OWN_COMPONENTS, -1).join(sep)
}
