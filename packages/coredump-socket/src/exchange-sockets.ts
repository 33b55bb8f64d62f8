import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { createConnection, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  accept,
  descriptorOf,
  receiveDescriptor,
  sendDescriptor,
  takeDescriptor,
} from './descriptors.ts'
import { identifyPeer, peerCredentials } from './identify-peer.ts'
import { errorMessage, listenAt } from './listen.ts'

/** Name of the socket in HOST_DIR on which descriptors are passed. */
export const EXCHANGE_SOCKET_NAME = 'receiver-queue.sock'

/** Longer than it takes to accept a full queue. */
const TIMEOUT_MS = 20_000
const LOOK_MS = 5

/**
 * The agent's side. A crash waits in the queue of the listening socket until it is accepted, and the
 * kernel drops the queue with the last descriptor: so agent and receiver both have one. Passes
 * `queue`, the socket of a receiver that has ended, to the one that runs, and resolves with the
 * socket on which that one listens; from then on the queue is empty.
 */
export async function exchangeSockets(
  hostDir: string,
  queue: () => number | undefined,
): Promise<number> {
  const socket = createConnection(join(hostDir, EXCHANGE_SOCKET_NAME))
  // what Node reads has lost its descriptor
  socket.pause()
  await once(socket, 'connect')
  const fd = takeDescriptor(socket)
  try {
    if (!sendDescriptor(fd, queue())) throw new Error('The receiver takes no descriptor')
    const listening = await descriptorFrom(fd)
    if (listening === undefined) throw new Error('The receiver sent no descriptor')
    return listening
  } finally {
    closeSync(fd)
  }
}

/** Releases each process in the queue of a listening socket, and returns their pids. Never waits. */
export function releaseQueue(listening: number): number[] {
  const pids: number[] = []
  for (let fd = accept(listening); fd >= 0; fd = accept(listening)) {
    const peer = identifyPeer(fd, '/proc')
    closeSync(fd)
    if (typeof peer === 'string') continue
    if (peer.pidfd !== undefined) closeSync(peer.pidfd)
    pids.push(peer.pid)
  }
  return pids
}

export interface ExchangeOptions {
  /** The socket on which the receiver listens. */
  readonly server: Server
  /** Accepts what waits in the queue of a listening socket. */
  readonly onQueue: (listening: number) => Promise<void>
  /** A connection was closed without an exchange. */
  readonly onRefused: (reason: string) => void
}

/** The receiver's side: answers each agent of this node. Only a process of root may ask. */
export async function listenForExchange(
  hostDir: string,
  { server, onQueue, onRefused }: ExchangeOptions,
): Promise<Server> {
  async function answer(socket: Socket): Promise<void> {
    const fd = takeDescriptor(socket)
    let queue: number | undefined
    try {
      if (peerCredentials(fd)?.uid !== 0) throw new Error('it is not a process of root')
      queue = await descriptorFrom(fd)
      if (queue !== undefined) await onQueue(queue)
      sendDescriptor(fd, descriptorOf(server))
    } finally {
      if (queue !== undefined) closeSync(queue)
      closeSync(fd)
    }
  }
  const exchange = await listenAt(
    join(hostDir, EXCHANGE_SOCKET_NAME),
    (socket) => {
      answer(socket).catch((error: unknown) => {
        onRefused(errorMessage(error))
      })
    },
    { backlog: 16, pauseOnConnect: true },
  )
  exchange.on('error', () => {})
  return exchange
}

async function descriptorFrom(fd: number): Promise<number | undefined> {
  for (let waitedMs = 0; waitedMs < TIMEOUT_MS; waitedMs += LOOK_MS) {
    const received = receiveDescriptor(fd)
    if (received === 'end') throw new Error('it was closed')
    if (received !== undefined) return received === 'none' ? undefined : received
    await sleep(LOOK_MS)
  }
  throw new Error(`no answer within ${TIMEOUT_MS / 1000} s`)
}
