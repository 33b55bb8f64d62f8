import { statfs } from 'node:fs'
import { promisify } from 'node:util'
import { within } from '../timing.ts'
import type { HeldProcess, MappedFile } from './held-process.ts'

const statFileSystem = promisify(statfs)

const WAIT_MS = 200
/** statfs(2): a read of these may wait for another machine or another process, for ever. */
const REMOTE: ReadonlySet<number> = new Set([
  0x65735546, // FUSE
  0x6969, // NFS
  0x517b, // SMB
  0xff534d42, // CIFS
  0xfe534d42, // SMB 2
  0x01021997, // 9P
  0x00c36400, // Ceph
  0x0bd00bd0, // Lustre
  0x5346414f, // AFS
  0x6b414653, // AFS of the kernel
  0x73757245, // Coda
])

/** Whether a file may be read by a thread that must not wait; files of devices that do not answer may not. */
export async function findLocalFiles(
  held: HeldProcess | undefined,
): Promise<(file: MappedFile) => boolean> {
  const local = new Set<number>()
  const seen = new Set<number>()
  const look = async (): Promise<void> => {
    for (const { fd, dev } of held?.files ?? []) {
      if (fd === undefined || seen.has(dev)) continue
      seen.add(dev)
      const { type } = await statFileSystem(`/proc/self/fd/${fd}`)
      if (!REMOTE.has(type)) local.add(dev)
    }
  }
  if (held?.isWaiting === false) await within(held.wait(look()), WAIT_MS)
  return ({ dev }) => local.has(dev)
}
