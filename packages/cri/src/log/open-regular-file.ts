import { constants } from 'node:fs'
import { type FileHandle, open, readlink } from 'node:fs/promises'
import { sep } from 'node:path'

const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY
// <namespace>_<pod>_<uid>/<container>/<attempt>.log
const OWN_COMPONENTS = 3

/**
 * Open a log for reading. A pod that has /var/log mounted can put links and FIFOs in the place of
 * its log, so only a regular file is opened, and no link is followed in the pod's own part of the
 * path. (/var/log/pods itself may be a link that the administrator made.)
 */
export async function openRegularFile(path: string): Promise<FileHandle> {
  const file = await open(path, FLAGS)
  try {
    if (!(await file.stat()).isFile()) throw new Error(`\`${path}\` is not a regular file`)
    const opened = await readlink(`/proc/self/fd/${file.fd}`)
    // a rotation may have renamed the file since, in the same directory
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
