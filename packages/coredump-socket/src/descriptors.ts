import koffi from 'koffi'
import type { Server, Socket } from 'node:net'

/** The calls of libc that Node does not have; each returns -1 where it fails. */
const libc = koffi.load(null)

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

const SOL_SOCKET = 1
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
