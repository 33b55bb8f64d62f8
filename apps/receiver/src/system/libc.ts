import koffi from 'koffi'

/** The calls of libc that Node does not have; each returns -1 where it fails. */
const libc = koffi.load(null)
const fallocate = libc.func('int fallocate(int, int, int64_t, int64_t)')

// linux/falloc.h
const FALLOC_FL_KEEP_SIZE = 1
const FALLOC_FL_PUNCH_HOLE = 2

/** Frees a range of a file on its disk, fallocate(2), on a thread of libuv's pool: it reads as zeros from then on. */
export async function freeRange(fd: number, position: number, bytes: number): Promise<void> {
  const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
  const result = await new Promise<unknown>((resolve, reject) => {
    fallocate.async(fd, mode, position, bytes, (error: unknown, returned: unknown) => {
      if (error instanceof Error) reject(error)
      else resolve(returned)
    })
  })
  if (result !== 0) throw new Error('The file system of CORE_DIR cannot free a part of a file')
}

const prctl = libc.func(
  'int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)',
)

const unshare = libc.func('int unshare(int)')
const setns = libc.func('int setns(int, int)')

const CLONE_FS = 0x200
const CLONE_NEWNS = 0x2_0000

/**
 * Moves the calling thread into the mount namespace of the open `/proc/<pid>/ns/mnt`, setns(2): it
 * must not share its root directory with other threads. False where it is not permitted.
 */
export function enterMountNamespace(fd: number): boolean {
  return unshare(CLONE_FS) === 0 && setns(fd, CLONE_NEWNS) === 0
}

const PR_SET_DUMPABLE = 4

/**
 * From now on the kernel writes no core of this process, prctl(2): it would wait on the socket for an
 * answer of the very process that it holds.
 */
export function forbidOwnCore(): void {
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
}
