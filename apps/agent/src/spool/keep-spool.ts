import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { QueueEvent } from '@core-dump-handler/upload'
import type { CommandContext } from '../context.ts'
import { recordSuppressed } from './record-suppressed.ts'
import { Spool } from './spool.ts'

const EVERY_MS = 10_000

/** A running spool keeper. */
export interface SpoolKeeper {
  readonly onQueueEvent: (event: QueueEvent) => void
  /** A held file is not deleted until its release; it may have another size then. */
  hold(name: string): void
  release(name: string): void
  readonly ended: Promise<void>
}

/** Keeps CORE_DIR within its limits and records suppressed crashes, until the signal is aborted. */
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
    await work().catch((err: unknown) => log.error({ err }, `${what}; will be tried again`))
  }
  const keep = async (): Promise<void> => {
    while (!signal.aborted) {
      if (isLimited) await attempt('cannot keep CORE_DIR within its limits', () => spool.look())
      await attempt('cannot record suppressed crashes', () =>
        recordSuppressed({ hostDir, coreDir, nodeName, onSuppressed }),
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
