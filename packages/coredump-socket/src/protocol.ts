import { readSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** linux/coredump.h: what the kernel can do, and what it is asked for. */
export const COREDUMP = { kernel: 1n, userspace: 2n, reject: 4n, wait: 8n } as const

/** The marks of linux/coredump.h: how the kernel answers an acknowledgement. */
export const MARKS: readonly string[] = [
  'accepted',
  'too small',
  'too large',
  'with unknown bits',
  'with contradicting bits',
]

/** Size of an acknowledgement, and the least of a request (COREDUMP_REQ_SIZE_VER0). */
export const ACK_BYTES = 16
/** Far above the size of a request; a later kernel may add fields to it. */
const MAX_REQUEST_BYTES = 4096
/** The kernel answers within microseconds, once it gets a CPU. */
const QUICK_TRIES = 20

/** What the kernel sends first; integers have the byte order of the machine, little-endian here. */
export interface CoreDumpRequest {
  /** The largest acknowledgement that the kernel takes. */
  readonly maxAckBytes: number
  /** Bits of `COREDUMP` that the kernel knows. */
  readonly features: bigint
}

/** Reads the request; undefined where the peer sends none in time, or one that is not valid. */
export async function readRequest(
  fd: number,
  timeoutMs: number,
): Promise<CoreDumpRequest | undefined> {
  const head = await readExactly(fd, ACK_BYTES, timeoutMs)
  if (head === undefined) return undefined
  const size = head.readUInt32LE(0)
  if (size < ACK_BYTES || size > MAX_REQUEST_BYTES) return undefined
  const rest = size - ACK_BYTES
  if (rest > 0 && (await readExactly(fd, rest, timeoutMs)) === undefined) return undefined
  return { maxAckBytes: head.readUInt32LE(4), features: head.readBigUInt64LE(8) }
}

/** Writes the acknowledgement. Throws EPIPE when the process has been killed meanwhile. */
export function acknowledge(fd: number, mask: bigint, bytes: number = ACK_BYTES): void {
  const ack = Buffer.alloc(Math.max(bytes, ACK_BYTES))
  ack.writeUInt32LE(bytes, 0)
  ack.writeBigUInt64LE(mask, 8)
  writeSync(fd, ack)
}

/** The kernel's answer to an acknowledgement, an index of `MARKS`; undefined when there is none. */
export async function readMark(fd: number, timeoutMs: number): Promise<number | undefined> {
  return (await readExactly(fd, 4, timeoutMs))?.readUInt32LE(0)
}

/**
 * The next `bytes` bytes of a socket that does not block, and not one more: what follows is the core.
 * Undefined at its end, when it fails, and after `timeoutMs`.
 */
async function readExactly(
  fd: number,
  bytes: number,
  timeoutMs: number,
): Promise<Buffer | undefined> {
  const buffer = Buffer.alloc(bytes)
  const deadlineMs = performance.now() + timeoutMs
  for (let length = 0, tries = 0; length < bytes; tries++) {
    try {
      const read = readSync(fd, buffer, length, bytes - length, null)
      if (read === 0) return undefined
      length += read
    } catch (error) {
      if (!isEagain(error) || performance.now() > deadlineMs) return undefined
      await (tries < QUICK_TRIES ? new Promise(setImmediate) : sleep(1))
    }
  }
  return buffer
}

function isEagain(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN'
}
