import type { Socket } from 'node:net'
import { hostname } from 'node:os'
import { FRAME, frame } from '@core-dump-handler/composer'
import { isUploadError, type Stored } from '@core-dump-handler/upload'
import type { Carrier } from '../carry/open-carrier.ts'
import type { CommandContext } from '../command.ts'
import { type LiveOutcome, deliverLive } from './live-delivery.ts'
import { RestQueue } from './rest-queue.ts'
import { openDoor } from './straight-door.ts'

/** What became of an archive that came straight from its composer, or of its rest. */
export type StraightOutcome = 'stored' | 'refused' | 'kept' | 'died' | 'continued' | 'lost'

export interface StraightListeners {
  readonly onOutcome: (outcome: StraightOutcome) => void
  /** In the store, verified; `manifest` is the text of its manifest, where that is known. */
  readonly onStored: (manifest: string | undefined, stored: Stored) => void
}

/** Bundles that composers send, without the disk, until the signal is aborted. */
export interface Straight {
  /** It is being received: what its composer left on the disk is ours to end. */
  readonly isUnderWay: (name: string) => boolean
  /** There may be a new rest. */
  readonly wake: () => void
  readonly ended: Promise<unknown>
}

/** After the store has failed composers are sent to their disks at once for so long. */
const COOL_DOWN_MS = 10_000
const DEFAULT_WORKERS = 2

/** Listens where composers look for an agent, if the settings say so; ends what was begun in any case. */
export function receiveStraight(
  { settings, env, log, signal }: CommandContext,
  { destination, queue }: Carrier,
  { onOutcome, onStored }: StraightListeners,
): Straight {
  const { coreDir, hostDir } = settings
  const nodeName = env['NODE_NAME'] ?? hostname()
  // each has a buffer of the destination's while it is sent: others must get their turn
  const maxAtOnce = Math.max(1, (settings.destination?.s3.workers ?? DEFAULT_WORKERS) >> 1)
  const sockets = new Map<Socket, string>()
  let notBeforeMs = 0
  const rests = new RestQueue(coreDir, {
    destination,
    log,
    signal,
    nodeName,
    onStored(manifest, stored) {
      log.info(
        { url: stored.url, bytes: stored.bytes },
        'the rest of a bundle is stored and verified',
      )
      onOutcome('continued')
      onStored(manifest, stored)
    },
    onLost: () => onOutcome('lost'),
  })

  const whyNot = (): string | undefined => {
    if (signal.aborted) return 'the agent ends'
    if (sockets.size >= maxAtOnce) return 'others are being sent'
    if (performance.now() < notBeforeMs || queue.stats().paused) return 'the store fails'
    return undefined
  }
  const onComposer = (socket: Socket): void => {
    // whatever it is: the end of what it sends tells
    socket.on('error', () => {})
    const reason = whyNot()
    if (reason !== undefined) {
      onOutcome('refused')
      return void socket.resume().end(frame(FRAME.refused, reason))
    }
    sockets.set(socket, '')
    const started = performance.now()
    const options = { destination, signal, nodeName }
    void deliverLive(socket, coreDir, options, (name) => sockets.set(socket, name))
      .then((outcome) => {
        onOutcome(outcome.type)
        tell(sockets.get(socket) ?? '', outcome, Math.round(performance.now() - started))
        if (outcome.type === 'stored') onStored(outcome.manifest, outcome.stored)
        else rests.wake()
      })
      .catch((err: unknown) => log.error({ err }, 'what a composer sent cannot be kept'))
      .finally(() => {
        sockets.delete(socket)
        socket.destroySoon()
      })
  }
  const tell = (name: string, outcome: LiveOutcome, durationMs: number): void => {
    const bundle = `${name}.zip`
    if (outcome.type === 'stored') {
      const { url, bytes, parts } = outcome.stored
      log.info(
        { bundle, url, bytes, parts, durationMs },
        'stored and verified, straight from its composer',
      )
    } else if (outcome.type === 'died') {
      log.warn(
        { bundle },
        'a composer died while it sent a bundle: what came of it is ended and stored',
      )
    } else {
      const { error: err } = outcome
      if (isUploadError(err)) notBeforeMs = performance.now() + COOL_DOWN_MS
      log.warn({ bundle, err }, 'a bundle goes by the disk')
    }
  }

  const listen = async (): Promise<void> => {
    if (!settings.straightToStore) return
    const close = await openDoor(hostDir, onComposer).catch((err: unknown) => {
      log.error({ err }, 'composers cannot reach the agent: bundles go by the disk')
      return undefined
    })
    const end = (): void => {
      close?.()
      for (const socket of sockets.keys()) socket.destroy()
    }
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
  }
  return {
    isUnderWay: (name) => [...sockets.values()].includes(name),
    wake: rests.wake,
    ended: Promise.all([listen(), rests.run()]),
  }
}
