import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { QueueEvent } from '@core-dump-handler/upload'
import type { CommandContext } from '../context.ts'
import { closeWindows } from './record-suppressed.ts'
import { Spool } from './spool.ts'

const EVERY_MS = 10_000

/** What a spool keeper hears of, and when it ends. */
export interface SpoolKeeper {
  readonly onQueueEvent: (event: QueueEvent) => void
  /** It is not dropped until it is released, when it may have another size. */
  hold(name: string): void
  release(name: string): void
  readonly ended: Promise<void>
}

/** Keeps CORE_DIR within its limits and closes the windows of RATE_CRASHES, until the signal is aborted. */
export function keepSpool(
  { settings, env, log, signal }: CommandContext,
  onDropped: (reason: string, crashes: number) => void,
): SpoolKeeper {
  const { coreDir, hostDir, spool: limits } = settings
  const isLimited = Object.values(limits).some((limit) => limit > 0)
  const spool = new Spool(coreDir, { limits, log, onDropped: (reason) => onDropped(reason, 1) })
  const nodeName = env['NODE_NAME'] ?? hostname()
  const onSuppressed = (crashes: number): void => onDropped('CORE_SUPPRESSED', crashes)
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    await work().catch((err: unknown) => log.error({ err }, `${what}; tried again`))
  }
  const keep = async (): Promise<void> => {
    while (!signal.aborted) {
      if (isLimited) await attempt('cannot keep CORE_DIR within its limits', () => spool.look())
      await attempt('cannot record suppressed crashes', () =>
        closeWindows({ hostDir, coreDir, nodeName, onSuppressed }),
      )
      await sleep(EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }
  return {
    onQueueEvent: (event) => spool.note(event),
    hold: (name) => spool.hold(name),
    release: (name) => spool.release(name),
    ended: keep(),
  }
}
