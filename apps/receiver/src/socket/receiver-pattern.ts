import { posix } from 'node:path'

/** The kernel connects to it, in the HOST_DIR of the receiver. */
export const SOCKET_NAME = 'receiver.sock'
/** Longest path of a socket: `sun_path` less its NUL, unix(7). */
const MAX_PATH_BYTES = 107

/**
 * The `kernel.core_pattern` by which the kernel connects to the receiver of `hostDir` (Linux 6.17 or
 * newer); core(5). Throws a RangeError for a directory of which there can be none.
 */
export function receiverPattern(hostDir: string): string {
  const path = posix.join(hostDir, SOCKET_NAME)
  if (!posix.isAbsolute(hostDir) || !/^[\x21-\x24\x26-\x7e]+$/.test(path)) {
    throw new RangeError(
      `Cannot connect crashes to a receiver in \`${hostDir}\`: expected an absolute path of printable ASCII without blanks and \`%\``,
    )
  }
  if (path.length > MAX_PATH_BYTES) {
    throw new RangeError(
      `Cannot connect crashes to a receiver in \`${hostDir}\`: the path of its socket has ${path.length} bytes and may have ${MAX_PATH_BYTES}; choose a shorter directory`,
    )
  }
  return `@@${path}`
}
