import { createConnection } from 'node:net'
import { join } from 'node:path'
import { AGENT_SOCKET_NAME, DEFAULT_HOST_DIR } from './agent-link.ts'

const TIMEOUT_MS = 5000

/** The liveness probe: 0 where the receiver of HOST_DIR answers, else 1. */
export async function check(env: Readonly<NodeJS.ProcessEnv>): Promise<number> {
  const alive = await isAlive(env['HOST_DIR'] || DEFAULT_HOST_DIR)
  if (!alive) process.stderr.write('The receiver does not answer\n')
  return alive ? 0 : 1
}

/** Whether the receiver of `hostDir` answers within 5 s. */
export async function isAlive(hostDir: string): Promise<boolean> {
  const socket = createConnection(join(hostDir, AGENT_SOCKET_NAME))
  const answered = Promise.withResolvers<boolean>()
  socket.setTimeout(TIMEOUT_MS, () => answered.resolve(false))
  socket.on('error', () => answered.resolve(false))
  socket.on('close', () => answered.resolve(false))
  socket.once('data', () => answered.resolve(true))
  socket.write('{"type":"ping"}\n')
  const alive = await answered.promise
  socket.destroy()
  return alive
}
