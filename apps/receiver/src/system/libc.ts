import koffi from 'koffi'
import type { Server, Socket } from 'node:net'

/** The calls of libc that Node does not have; each returns -1 where it fails. */
const libc = koffi.load(null)
const getsockopt = libc.func(
  'int getsockopt(int, int, int, _Out_ uint8_t *value, _Inout_ uint32_t *length)',
)
const ioctl = libc.func('int ioctl(int, unsigned long, _Inout_ uint8_t *value)')

const fcntl = libc.func('int fcntl(int, int, int)')

const F_DUPFD_CLOEXEC = 1030

/**
 * A duplicate of `fd` that no child inherits, fcntl(2): a process is held until the last copy of its
 * connection is closed. -1 where it fails.
 */
export function duplicate(fd: number): number {
  return Number(fcntl(fd, F_DUPFD_CLOEXEC, 0))
}

const shutdown2 = libc.func('int shutdown(int, int)')
const SHUT_RDWR = 2

/**
 * shutdown(2) in both directions: frees the peer, whichever other process has the socket open. A
 * socket that listens takes no more connections; those in its queue can still be accepted.
 */
export function shutdown(fd: number): void {
  shutdown2(fd, SHUT_RDWR)
}

const accept4 = libc.func('int accept4(int, void *, void *, int)')
const SOCK_CLOEXEC_NONBLOCK = 0o2_004_000

/** The next connection in the queue of a socket that does not block, accept4(2); -1 where there is none. */
export function accept(listening: number): number {
  return Number(accept4(listening, null, null, SOCK_CLOEXEC_NONBLOCK))
}

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

const SOL_SOCKET = 1
const SO_PEERCRED = 17
const SO_PEERPIDFD = 77

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

const sendmsg = libc.func('int64_t sendmsg(int, const uint8_t *header, int)')
const recvmsg = libc.func('int64_t recvmsg(int, _Inout_ uint8_t *header, int)')

const SCM_RIGHTS = 1
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const MSG_CMSG_CLOEXEC = 0x4000_0000
const EAGAIN = 11
/** CMSG_LEN of cmsg(3) for one descriptor. */
const RIGHTS_BYTES = 20
// in one buffer: the control message, the byte of data, its iovec, and the msghdr of recvmsg(2)
const CONTROL_BYTES = 24
const DATA_AT = 24
const IOVEC_AT = 32
const HEADER_AT = 48
const MESSAGE_BYTES = 104

/** A message of one byte and at most one descriptor, which its header points to. */
function createMessage(controlBytes: number): {
  readonly header: Buffer
  readonly control: Buffer
} {
  const bytes = Buffer.alloc(MESSAGE_BYTES)
  const address = koffi.address(bytes)
  bytes.writeBigUInt64LE(address + BigInt(DATA_AT), IOVEC_AT)
  bytes.writeBigUInt64LE(1n, IOVEC_AT + 8)
  bytes.writeBigUInt64LE(address + BigInt(IOVEC_AT), HEADER_AT + 16)
  bytes.writeBigUInt64LE(1n, HEADER_AT + 24)
  bytes.writeBigUInt64LE(address, HEADER_AT + 32)
  bytes.writeBigUInt64LE(BigInt(controlBytes), HEADER_AT + 40)
  return { header: bytes.subarray(HEADER_AT), control: bytes.subarray(0, CONTROL_BYTES) }
}

/** Sends one byte on a Unix socket and, with it, a copy of `passed`, SCM_RIGHTS of unix(7). False where it fails. */
export function sendDescriptor(fd: number, passed: number | undefined): boolean {
  const { header, control } = createMessage(passed === undefined ? 0 : CONTROL_BYTES)
  control.writeBigUInt64LE(BigInt(RIGHTS_BYTES), 0)
  control.writeInt32LE(SOL_SOCKET, 8)
  control.writeInt32LE(SCM_RIGHTS, 12)
  control.writeInt32LE(passed ?? -1, 16)
  return Number(sendmsg(fd, header, MSG_DONTWAIT | MSG_NOSIGNAL)) === 1
}

/**
 * What `sendDescriptor` sent: the descriptor, which no child inherits, or `none`. Undefined where
 * nothing has come yet, `end` where nothing will.
 */
export function receiveDescriptor(fd: number): number | 'none' | 'end' | undefined {
  const { header, control } = createMessage(CONTROL_BYTES)
  const received = Number(recvmsg(fd, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC))
  if (received < 0) return koffi.errno() === EAGAIN ? undefined : 'end'
  if (received === 0) return 'end'
  return control.readUInt32LE(0) === RIGHTS_BYTES ? control.readInt32LE(16) : 'none'
}

// linux/pidfd.h; the second version of the structure, with the fields of core dumps (Linux 6.16)
const PIDFD_INFO_BYTES = 72
const PIDFD_GET_INFO = 0xc000_ff0b + PIDFD_INFO_BYTES * 0x1_0000
const PIDFD_INFO_COREDUMP = 0x10n
const COREDUMP_MASK_AT = 64
const PIDFD_COREDUMPED = 1
const PIDFD_COREDUMP_ROOT = 8

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
  bytes.writeBigUInt64LE(PIDFD_INFO_COREDUMP, 0)
  if (ioctl(pidfd, PIDFD_GET_INFO, bytes) !== 0) return undefined
  if ((bytes.readBigUInt64LE(0) & PIDFD_INFO_COREDUMP) === 0n) return undefined
  const mask = bytes.readUInt32LE(COREDUMP_MASK_AT)
  const dumpMode = (mask & PIDFD_COREDUMP_ROOT) === 0 ? 1 : 2
  return { dumped: (mask & PIDFD_COREDUMPED) !== 0, dumpMode }
}

/**
 * The descriptor of a connection of Node's, owned by the caller. Node's own socket allocates a buffer
 * for each read; a duplicate is read like the pipe of a handler.
 */
export function takeDescriptor(socket: Socket): number {
  const fd = duplicate(descriptorOf(socket))
  socket.destroy()
  if (fd < 0) throw new Error('Cannot duplicate a connection: too many files are open')
  return fd
}

/** The descriptor of a socket, which Node goes on to own. */
export function descriptorOf(socket: Socket | Server): number {
  const handle: unknown = '_handle' in socket ? socket._handle : undefined
  if (typeof handle === 'object' && handle !== null && 'fd' in handle) {
    if (typeof handle.fd === 'number') return handle.fd
  }
  throw new Error('This Node has no descriptor of a socket')
}
