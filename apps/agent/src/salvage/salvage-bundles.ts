import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CommandContext } from '../context.ts'
import { Salvager, type SalvagerOptions } from './salvager.ts'

const RESCAN_MS = 30_000
/** While there are files that may soon have no writer. */
const SOON_MS = 5000
const QUIET_MS = 10_000
// what a composer is given to end after its time limit, and as much again for a slow disk
const MARGIN_MS = 60_000

/** Makes bundles of what dead composers have left: now, and on a clock, until the signal is aborted. */
export async function salvageBundles(
  { settings, env, log, signal }: CommandContext,
  onSalvaged: SalvagerOptions['onSalvaged'],
): Promise<void> {
  const salvager = new Salvager(settings.coreDir, {
    log,
    signal,
    nodeName: env['NODE_NAME'] ?? hostname(),
    watch: {
      procRoot: settings.procRoot,
      maxLifeMs: settings.composerTimeoutMs + MARGIN_MS,
      quietMs: QUIET_MS,
    },
    onProgress: breather(signal),
    onSalvaged,
  })
  while (!signal.aborted) {
    const left = await salvager.scan()
    await sleep(left > 0 ? SOON_MS : RESCAN_MS, undefined, { signal, ref: false }).catch(
      () => undefined,
    )
  }
}

const MAX_BREATH_MS = 1000

/** To be awaited now and then in long work: rests for as long as it has worked, for others' sake. */
export function breather(signal: AbortSignal): () => Promise<void> {
  let sinceMs = performance.now()
  return async () => {
    const workedMs = Math.min(performance.now() - sinceMs, MAX_BREATH_MS)
    await sleep(workedMs, undefined, { signal })
    sinceMs = performance.now()
  }
}
