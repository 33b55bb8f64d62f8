import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CommandContext } from '../context.ts'
import { BINARIES } from '@core-dump-handler/bundle'
import { LeftOverBinaries } from '../binaries/left-over-binaries.ts'
import { Salvager, type SalvagerOptions } from './salvager.ts'
import type { WriterWatchOptions } from './writer-watch.ts'

const RESCAN_MS = 30_000
/** While there are files that may soon have no writer. */
const SOON_MS = 5000
const QUIET_MS = 10_000
// the time for a composer to end after its time limit, and as much again for a slow disk
const MARGIN_MS = 60_000

/** Makes bundles of the files of dead composers, and deletes binaries they have not copied whole: at once, and regularly until the signal is aborted. */
export async function salvageBundles(
  { settings, env, log, signal }: CommandContext,
  {
    onSalvaged,
    receiver,
  }: Pick<SalvagerOptions, 'onSalvaged'> & Pick<WriterWatchOptions, 'receiver'>,
): Promise<void> {
  const watch = {
    procRoot: settings.procRoot,
    maxLifeMs: settings.composerTimeoutMs + MARGIN_MS,
    quietMs: QUIET_MS,
    ...(receiver && { receiver }),
  }
  const binaries = new LeftOverBinaries(join(settings.coreDir, BINARIES), watch, log)
  const salvager = new Salvager(settings.coreDir, {
    log,
    signal,
    nodeName: env['NODE_NAME'] ?? hostname(),
    watch,
    onProgress: throttle(signal),
    onSalvaged,
  })
  while (!signal.aborted) {
    const left = (await salvager.scan()) + (await binaries.scan())
    await sleep(left > 0 ? SOON_MS : RESCAN_MS, undefined, { signal, ref: false }).catch(
      () => undefined,
    )
  }
}

const MAX_PAUSE_MS = 1000

/** Await it regularly in long work: it pauses for as long as the work took, so that half of a CPU stays free. */
export function throttle(signal: AbortSignal): () => Promise<void> {
  let sinceMs = performance.now()
  return async () => {
    const workedMs = Math.min(performance.now() - sinceMs, MAX_PAUSE_MS)
    await sleep(workedMs, undefined, { signal })
    sinceMs = performance.now()
  }
}
