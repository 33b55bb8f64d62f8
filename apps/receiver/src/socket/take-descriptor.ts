import type { Server, Socket } from 'node:net'
import { duplicate } from '../system/libc.ts'

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
