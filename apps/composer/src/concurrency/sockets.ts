import { once } from 'node:events'
import { readdirSync, rmSync } from 'node:fs'
import { type Server, type Socket, createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import { errorCode, makeDirectory } from '@core-dump-handler/capture'

const SOCKET_NAME = /^leader-(\d{1,9})$/

/** Path of the socket with this number. */
export function socketPath(directory: string, number: number): string {
  return join(directory, `leader-${number}`)
}

/** A connection to the leader, or the number of the name that the next one takes. */
export async function connectToLeader(
  directory: string,
): Promise<{ readonly socket?: Socket; readonly free: number }> {
  makeDirectory(directory)
  const entries = readdirSync(directory, { withFileTypes: true })
  let last = 0
  let isSocket = false
  for (const entry of entries) {
    const number = Number(SOCKET_NAME.exec(entry.name)?.[1] ?? 0)
    if (number > last) [last, isSocket] = [number, entry.isSocket()]
  }
  if (!isSocket) return { free: last + 1 }
  const socket = createConnection(socketPath(directory, last))
  try {
    await once(socket, 'connect')
    return { socket, free: last + 1 }
  } catch (error) {
    // ECONNREFUSED: it has died. ENOENT, ECONNRESET: it has just closed, and its name is free
    const code = errorCode(error)
    if (code === 'ECONNREFUSED') return { free: last + 1 }
    if (code === 'ENOENT' || code === 'ECONNRESET') return { free: last }
    throw error
  }
}

/** A server that owns the name; undefined: another composer was first. */
export async function listenOn(path: string): Promise<Server | undefined> {
  const server = createServer()
  try {
    server.listen(path)
    await once(server, 'listening')
    return server
  } catch (error) {
    if (errorCode(error) === 'EADDRINUSE') return undefined
    throw error
  }
}

/** Removes the names of leaders that have died. */
export function removeOlder(directory: string, number: number): void {
  for (const name of readdirSync(directory)) {
    if (Number(SOCKET_NAME.exec(name)?.[1] ?? number) >= number) continue
    try {
      rmSync(join(directory, name))
    } catch {
      // a directory, or removed by another composer: the higher name counts
    }
  }
}
