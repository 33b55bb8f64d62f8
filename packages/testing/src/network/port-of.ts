import type { Server } from 'node:net'

/** The TCP port on which a server listens; throws when it does not. */
export function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('No TCP port is listened on')
  return address.port
}
