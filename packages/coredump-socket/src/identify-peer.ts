import { closeSync, readFileSync } from 'node:fs'
import koffi from 'koffi'

const libc = koffi.load(null)
const getsockopt = libc.func(
  'int getsockopt(int, int, int, _Out_ uint8_t *value, _Inout_ uint32_t *length)',
)
const ioctl = libc.func('int ioctl(int, unsigned long, _Inout_ uint8_t *value)')

const SOL_SOCKET = 1
const SO_PEERCRED = 17
const SO_PEERPIDFD = 77

// linux/pidfd.h; the second version of the structure, with the fields of core dumps (Linux 6.16)
const PIDFD_INFO_BYTES = 72
const PIDFD_GET_INFO = 0xc000_ff0b + PIDFD_INFO_BYTES * 0x1_0000
// without it the kernel reports nothing of a process that is no more
const PIDFD_INFO_EXIT = 0x08n
const PIDFD_INFO_COREDUMP = 0x10n
const COREDUMP_MASK_AT = 64
const PIDFD_COREDUMPED = 1
const PIDFD_COREDUMP_ROOT = 8

/** The process that the kernel connected for: proven to be dumping. */
export interface Peer {
  readonly pid: number
  readonly uid: number
  readonly gid: number
  /** Names the process for as long as it is open; undefined before Linux 6.5. */
  readonly pidfd: number | undefined
  readonly dumpMode: 1 | 2 | undefined
  /** It was killed while its connection waited: its pid may be that of another process by now. */
  readonly hasEnded: boolean
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
  const isLive = isDumping(pid, procRoot)
  // the kernel knows that a process has dumped when it is no more
  if (info?.dumped ?? isLive) {
    return { ...credentials, pidfd, dumpMode: info?.dumpMode, hasEnded: !isLive }
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

/** unix(7): the process that connected, in the pid namespace of this one; 0: it is not there. */
export interface Credentials {
  readonly pid: number
  readonly uid: number
  readonly gid: number
}

export function peerCredentials(fd: number): Credentials | undefined {
  const bytes = Buffer.alloc(12)
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, bytes, [bytes.length]) !== 0) return undefined
  return { pid: bytes.readInt32LE(0), uid: bytes.readUInt32LE(4), gid: bytes.readUInt32LE(8) }
}

/** A descriptor of the process that connected, to be closed by the caller; undefined before Linux 6.5. */
export function peerPidfd(fd: number): number | undefined {
  const bytes = Buffer.alloc(4)
  return getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, bytes, [bytes.length]) === 0
    ? bytes.readInt32LE(0)
    : undefined
}

/** What the kernel knows of the core dump of a process. */
export interface CoreDumpInfo {
  /** The process is dumping, or has dumped. */
  readonly dumped: boolean
  /** `%d` of core(5): 2 for set-uid and the like. */
  readonly dumpMode: 1 | 2
}

/** PIDFD_GET_INFO; undefined where this kernel does not report core dumps. */
export function coreDumpInfo(pidfd: number): CoreDumpInfo | undefined {
  const bytes = Buffer.alloc(PIDFD_INFO_BYTES)
  bytes.writeBigUInt64LE(PIDFD_INFO_COREDUMP | PIDFD_INFO_EXIT, 0)
  if (ioctl(pidfd, PIDFD_GET_INFO, bytes) !== 0) return undefined
  if ((bytes.readBigUInt64LE(0) & PIDFD_INFO_COREDUMP) === 0n) return undefined
  const mask = bytes.readUInt32LE(COREDUMP_MASK_AT)
  const dumpMode = (mask & PIDFD_COREDUMP_ROOT) === 0 ? 1 : 2
  return { dumped: (mask & PIDFD_COREDUMPED) !== 0, dumpMode }
}
