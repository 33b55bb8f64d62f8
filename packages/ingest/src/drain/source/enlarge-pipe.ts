import type { Koffi, NativeFunction } from '../engine/koffi.ts'

/** F_SETPIPE_SZ of <linux/fcntl.h>. */
const SET_PIPE_BYTES = 1031
/** Four times the default. 1 MiB is no faster, and the pages are charged to the cgroup of the crashed process. */
const PIPE_BYTES = 256 * 1024

let fcntl: NativeFunction | undefined

/**
 * Gives a pipe more room; fcntl(2), pipe(7). A socket, and a pipe whose user may have no more
 * (fs.pipe-user-pages-soft), stay as they are.
 */
export function enlargePipe(koffi: Koffi, fd: number): void {
  // not declared with `...`: for integers the calling conventions of x86-64 and arm64 are the same
  fcntl ??= koffi.load(null).func('int fcntl(int, int, int)')
  fcntl(fd, SET_PIPE_BYTES, PIPE_BYTES)
}
