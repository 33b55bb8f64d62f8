import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { FRAME, frame } from '@core-dump-handler/composer'
import type { PartsState, Stored } from '@core-dump-handler/upload'
import { Delivery, type DeliveryOptions } from './delivery.ts'
import { dropPart, keptOf, writeRest } from './rest-file.ts'

/**
 * - `stored`: the composer was told so.
 * - `kept`: the composer has it, or the rest of it, on the disk.
 * - `died`: the composer has; what it had sent is kept for the next look at such files.
 */
export type LiveOutcome =
  | { readonly type: 'stored'; readonly stored: Stored; readonly manifest: string }
  | { readonly type: 'kept'; readonly error?: unknown }
  | { readonly type: 'died' }

/** A composer that gives up writes to its file before it says so; one that dies does neither. */
const LAST_WORDS_MS = 1000
/** For a composer that was told to do it alone. */
const GOODBYE_MS = 5000

/** What a composer sends, into the store; `directory` is where it keeps what it must keep itself. */
export async function deliverLive(
  socket: Socket,
  directory: string,
  options: DeliveryOptions,
  onHello: (name: string) => void,
): Promise<LiveOutcome> {
  let told = 0
  const delivery = new Delivery({
    ...options,
    onConfirmed: (state: PartsState) => {
      const news = { ...state, etags: state.etags.slice(told) }
      told = state.etags.length
      socket.write(frame(FRAME.confirmed, JSON.stringify(news)))
    },
  })
  let error: unknown
  try {
    for await (const bytes of socket.iterator({ destroyOnReturn: false })) {
      await delivery.push(bytes)
      const { hello } = delivery
      if (hello !== undefined) onHello(hello.name)
      free(bytes)
      if (delivery.manifest !== undefined || delivery.left) break
    }
    if (delivery.manifest !== undefined && !delivery.left)
      return await finish(delivery, directory, socket)
  } catch (cause) {
    // a composer that was killed may reset its connection
    if (!socket.destroyed) error = cause
    if (!socket.destroyed)
      socket.write(frame(FRAME.refused, cause instanceof Error ? cause.message : String(cause)))
  }
  return leave(delivery, directory, socket, options.signal, error)
}

async function finish(delivery: Delivery, directory: string, socket: Socket): Promise<LiveOutcome> {
  const { hello, manifest = '' } = delivery
  const stored = await delivery.finish()
  // it became impatient meanwhile: whoever carries its file finds that the object is there
  if (hello === undefined || (await keptOf(directory, hello.name)) !== 'nothing')
    return { type: 'kept' }
  await dropPart(directory, hello.name)
  socket.end(frame(FRAME.stored, stored.url))
  return { type: 'stored', stored, manifest }
}

async function leave(
  delivery: Delivery,
  directory: string,
  socket: Socket,
  signal: AbortSignal,
  error: unknown,
): Promise<LiveOutcome> {
  const { hello, writer } = delivery
  const kept = { type: 'kept', ...(error !== undefined && { error }) } as const
  if (hello === undefined || writer === undefined) return kept
  const isKept = async (): Promise<boolean> => (await keptOf(directory, hello.name)) !== 'nothing'
  const patienceMs = socket.closed ? LAST_WORDS_MS : GOODBYE_MS
  for (
    const until = performance.now() + patienceMs;
    performance.now() < until && !signal.aborted;
  ) {
    if (delivery.left || (await isKept())) break
    await sleep(50)
  }
  socket.destroy()
  if (delivery.left || signal.aborted || (await isKept())) {
    const isRest = (await keptOf(directory, hello.name)) === 'rest'
    // we are to end at once: what is left in the store is the next agent's, or the lifecycle rule's
    await (isRest || signal.aborted ? writer.leave() : writer.abort())
    return kept
  }
  await writeRest(directory, delivery)
  await writer.leave()
  return { type: 'died' }
}

/** Left to the garbage collector what came would be tens of MiB, as it weighs next to nothing in V8's heap. */
function free(bytes: Buffer): void {
  const memory = bytes.buffer as ArrayBuffer
  if (memory.byteLength === bytes.length) memory.transfer(0)
}
