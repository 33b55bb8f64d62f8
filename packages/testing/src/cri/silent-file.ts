import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'

// rootmode makes the mount point itself a regular file; no request is ever answered
const MOUNT = `
import ctypes, os, signal, sys
# it ends when its stdin ends, and unmounts first
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
libc = ctypes.CDLL(None, use_errno=True)
fuse = os.open('/dev/fuse', os.O_RDWR)
options = f'fd={fuse},rootmode=100000,user_id=0,group_id=0'.encode()
path = sys.argv[1].encode()
if libc.mount(b'silent', path, b'fuse', 0, options) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
print('mounted', flush=True)
sys.stdin.read()
libc.umount2(path, 2)
`

/** Whether this process may mount one: it needs root and /dev/fuse. */
export function canMountSilentFiles(): boolean {
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK)
    return process.getuid?.() === 0
  } catch {
    return false
  }
}

/** Mount a FUSE file system that never answers on the regular file `path`: opening it blocks until `release`. */
export async function mountSilentFile(
  path: string,
): Promise<{ readonly release: () => Promise<void> }> {
  const server = spawn('python3', ['-c', MOUNT, path], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(server.stdout, 'data')
  return {
    release: async () => {
      server.stdin.end()
      await once(server, 'exit')
    },
  }
}
