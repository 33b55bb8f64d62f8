import { chmodSync, lstatSync, renameSync, rmSync } from 'node:fs'
import { type Server, type Socket, createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { STRAIGHT_SOCKET } from '@core-dump-handler/composer'

/**
 * Listens on `<HOST_DIR>/straight`, for root alone. It gets its name when it listens, in the place of
 * one whose agent is dead: who connects is never sent away by a name. The newest agent has it.
 */
export async function openDoor(
  hostDir: string,
  onComposer: (socket: Socket) => void,
): Promise<() => void> {
  const path = join(hostDir, STRAIGHT_SOCKET)
  const own = join(hostDir, `.${STRAIGHT_SOCKET}.${process.pid}`)
  rmSync(own, { force: true })
  const server = createServer(onComposer)
  server.listen(own)
  await once(server, 'listening')
  chmodSync(own, 0o600)
  const { ino } = lstatSync(own)
  renameSync(own, path)
  return () => close(server, path, ino)
}

/** Takes no more composers; one that an agent after us has put there stays. */
function close(server: Server, path: string, ino: number): void {
  server.close()
  if (lstatSync(path, { throwIfNoEntry: false })?.ino === ino) rmSync(path, { force: true })
}
