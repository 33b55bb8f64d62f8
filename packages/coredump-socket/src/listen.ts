import { once } from 'node:events'
import { chmodSync, lstatSync, realpathSync, renameSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { basename, dirname, join } from 'node:path'

/** net.core.somaxconn of Linux; a full queue loses crashes. */
const BACKLOG = 4096
/** sun_path of unix(7), less the NUL and the suffix of the name under which it is bound first. */
const MAX_PATH_BYTES = 107 - 12

export interface ListenOptions {
  readonly backlog?: number
  readonly allowHalfOpen?: boolean
  /** Connections are not read by Node. */
  readonly pauseOnConnect?: boolean
}

/**
 * Listens on the socket `path`, 0600, in place of what was there: it is bound under another name and
 * renamed, so that at no moment a crash finds no socket. The kernel follows no link to it.
 */
export async function listenAt(
  path: string,
  onConnection: (socket: Socket) => void,
  { backlog = BACKLOG, ...options }: ListenOptions = {},
): Promise<Server> {
  assertUsable(path)
  const unfinished = join(dirname(path), `.${basename(path)}.${process.pid % 10_000}`)
  rmSync(unfinished, { force: true })
  const server = createServer(options, onConnection)
  server.listen({ path: unfinished, backlog })
  await once(server, 'listening')
  chmodSync(unfinished, 0o600)
  renameSync(unfinished, path)
  return server
}

function assertUsable(path: string): void {
  const cannot = `Cannot listen on \`${path}\``
  // the pattern ends at white space
  if (!/^\/[\x21-\x7e]+$/.test(path)) {
    throw new Error(`${cannot}: expected an absolute path of printable ASCII without blanks`)
  }
  if (path.length > MAX_PATH_BYTES) {
    throw new Error(
      `${cannot}: it is longer than ${MAX_PATH_BYTES} bytes; choose a shorter HOST_DIR`,
    )
  }
  let real: string
  try {
    real = realpathSync(dirname(path))
  } catch (error) {
    throw new Error(`${cannot}: ${errorMessage(error)}`, { cause: error })
  }
  if (real !== dirname(path)) {
    throw new Error(
      `${cannot}: there is a symbolic link in its path, which the kernel does not follow; set HOST_DIR to \`${real}\``,
    )
  }
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found !== undefined && !found.isSocket()) {
    throw new Error(`${cannot}: there is a file of this name that is no socket; delete it`)
  }
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
