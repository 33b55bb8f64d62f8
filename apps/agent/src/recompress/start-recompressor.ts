import { removeRecompressLeftOvers } from '@core-dump-handler/ingest'
import type { Metrics } from '../monitoring/metrics.ts'
import type { CommandContext } from '../context.ts'
import type { SpoolKeeper } from '../spool/keep-spool.ts'
import { Recompressor } from './recompressor.ts'

/** `undefined` where RECOMPRESS is off; left-overs of a killed agent go in either case. */
export async function startRecompressor(
  { settings, log, signal }: CommandContext,
  metrics: Metrics,
  spool: SpoolKeeper,
  refresh: (name: string) => void,
): Promise<Recompressor | undefined> {
  const { recompress, coreDir, minFreeBytes } = settings
  // where CORE_DIR is not there yet, nothing is
  await removeRecompressLeftOvers(coreDir).catch(() => 0)
  if (recompress === undefined) return undefined
  return new Recompressor(coreDir, {
    ...recompress,
    minFreeBytes,
    log,
    signal,
    onBegin: (name) => spool.hold(name),
    onDone: (name) => {
      spool.release(name)
      refresh(name)
    },
    onResult: (result) => {
      metrics.recompressions.inc({ outcome: result.outcome })
      if (result.outcome !== 'replaced') return
      metrics.recompressedBytes.inc(result.fromBytes - result.bytes)
    },
  })
}
