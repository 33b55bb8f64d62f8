import { access, constants, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'

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

/** The sockets of `RUNTIME_SOCKETS` that exist below `root`, links resolved, each once. */
export async function findSockets(root: string): Promise<readonly string[]> {
  const found = new Set<string>()
  // one at a time: a mount that does not answer keeps one thread of the pool
  for (const path of RUNTIME_SOCKETS) {
    try {
      const socket = await realpath(join(root, path))
      if ((await stat(socket)).isSocket()) found.add(socket)
    } catch {
      // there is none
    }
  }
  return [...found]
}

/** Whether `program`, a path or a name to find in `searchPath`, can be executed. */
export async function isExecutable(program: string, searchPath = ''): Promise<boolean> {
  const candidates = program.includes('/')
    ? [program]
    : searchPath.split(':').map((directory) => join(directory || '.', program))
  for (const path of candidates) {
    try {
      await access(path, constants.X_OK)
      return true
    } catch {
      // not here
    }
  }
  return false
}
