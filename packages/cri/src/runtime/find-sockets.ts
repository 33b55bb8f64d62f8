import { access, constants, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { blockingCalls, isNotTried } from '../blocking-calls.ts'

/** Paths of the CRI sockets of known runtimes, in the order in which they are tried. */
export const RUNTIME_SOCKETS: readonly string[] = [
  '/run/containerd/containerd.sock',
  '/run/crio/crio.sock',
  '/var/run/crio/crio.sock',
  '/run/k3s/containerd/containerd.sock',
  '/run/k0s/containerd.sock',
  '/var/snap/microk8s/common/run/containerd.sock',
  '/run/dockershim.sock',
  '/var/run/dockershim.sock',
  '/run/cri-dockerd.sock',
]

// far above what a file system takes that works
const LIMIT = { limitMs: 2000 }

/**
 * The sockets of `RUNTIME_SOCKETS` that exist below `root`, links resolved, each once. While another
 * call of this process hangs they are not looked at and all returned: one that is missing refuses.
 */
export async function findSockets(root: string): Promise<readonly string[]> {
  const found = new Set<string>()
  for (const path of RUNTIME_SOCKETS.map((socket) => join(root, socket))) {
    const socket = await lookAt(path, () => socketAt(path), path)
    if (socket !== undefined) found.add(socket)
  }
  return [...found]
}

/** Whether `program`, a path or a name to find in `searchPath`, can be executed. */
export async function isExecutable(program: string, searchPath = ''): Promise<boolean> {
  const candidates = program.includes('/')
    ? [program]
    : searchPath.split(':').map((directory) => join(directory || '.', program))
  for (const path of candidates) {
    if (await lookAt(path, () => access(path, constants.X_OK).then(() => true), true)) return true
  }
  return false
}

async function socketAt(path: string): Promise<string | undefined> {
  const socket = await realpath(path)
  return (await stat(socket)).isSocket() ? socket : undefined
}

/** What `look` finds; undefined where there is nothing, `unknown` where it cannot be tried. */
async function lookAt<T>(path: string, look: () => Promise<T>, unknown: T): Promise<T | undefined> {
  try {
    return await blockingCalls.run(path, look, LIMIT)
  } catch (error) {
    return isNotTried(error) ? unknown : undefined
  }
}
