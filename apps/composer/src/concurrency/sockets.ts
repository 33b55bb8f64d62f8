import { once } from 'node:events'
import { existsSync, linkSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { type Server, type Socket, createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import { errorCode, makeDirectory } from '@core-dump-handler/capture'

const TEMPORARY_NAME = /^\.leader-(\d{1,9})$/
const SOCKET_NAME = /^leader-(\d{1,9})$/

/** Path of the socket with this number. */
export function socketPath(directory: string, number: number): string {
  return join(directory, `leader-${number}`)
}

/** A connection to the leader, or the number of the name that the next one takes. */
export async function connectToLeader(
  directory: string,
): Promise<{ readonly socket?: Socket; readonly free: number }> {
  if (!existsSync(directory)) await makeOnMainThread(directory)
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

/** Without libuv's threads: they would be memory of each composer that waits. */
async function makeOnMainThread(directory: string): Promise<void> {
  try {
    mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    // another composer was first, or HOST_DIR itself is missing
    if (errorCode(error) === 'ENOENT') await makeDirectory(directory)
    else if (errorCode(error) !== 'EEXIST') throw error
  }
}

/**
 * A server with the name of this number; undefined: another composer was first. It gets the name
 * when it listens already, so that a refused connection always means a dead leader.
 */
export async function listenAs(directory: string, number: number): Promise<Server | undefined> {
  const temporary = join(directory, `.leader-${process.pid}`)
  const path = socketPath(directory, number)
  rmSync(temporary, { force: true })
  const server = createServer()
  server.listen(temporary)
  await once(server, 'listening')
  try {
    linkSync(temporary, path)
    return server
  } catch (error) {
    server.close()
    if (errorCode(error) === 'EEXIST') return undefined
    throw error
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** Removes the names that dead composers have left, but for those above `number`. */
export function removeStale(directory: string, number: number): void {
  for (const name of readdirSync(directory)) {
    const older = Number(SOCKET_NAME.exec(name)?.[1] ?? number) < number
    const pid = TEMPORARY_NAME.exec(name)?.[1]
    if (!older && (pid === undefined || existsSync(`/proc/${pid}`))) continue
    try {
      rmSync(join(directory, name))
    } catch {
      // a directory, or removed by another composer: the highest name counts
    }
  }
}
