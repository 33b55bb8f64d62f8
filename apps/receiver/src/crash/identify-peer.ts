import { closeSync, readFileSync } from 'node:fs'
import { coreDumpInfo, peerCredentials, peerPidfd } from '../system/libc.ts'

/** The process that the kernel connected for: proven to be dumping. */
export interface Peer {
  readonly pid: number
  readonly uid: number
  readonly gid: number
  /** Names the process for as long as it is open; undefined before Linux 6.5. */
  readonly pidfd: number | undefined
  readonly dumpMode: 1 | 2 | undefined
}

/**
 * Who connected, unix(7); a text says why it is no crash. Any process of root can connect, only the
 * kernel does so for a process that is dumping.
 */
export function identifyPeer(fd: number, procRoot: string): Peer | string {
  const credentials = peerCredentials(fd)
  if (credentials === undefined) return 'the kernel does not report who connected'
  const { pid } = credentials
  if (pid === 0) {
    return 'its process is in no pid namespace that the receiver sees: run it with hostPID'
  }
  const pidfd = peerPidfd(fd)
  const info = pidfd === undefined ? undefined : coreDumpInfo(pidfd)
  if (info?.dumped !== false && isDumping(pid, procRoot)) {
    return { ...credentials, pidfd, dumpMode: info?.dumpMode }
  }
  if (pidfd !== undefined) closeSync(pidfd)
  return `process ${pid} is not dumping core`
}

function isDumping(pid: number, procRoot: string): boolean {
  try {
    return /^CoreDumping:\t1$/m.test(readFileSync(`${procRoot}/${pid}/status`, 'latin1'))
  } catch {
    return false
  }
}
