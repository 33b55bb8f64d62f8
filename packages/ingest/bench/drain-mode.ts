import type { DrainMode } from '@core-dump-handler/ingest'

type Mode = DrainMode | 'auto'

const MODES: readonly Mode[] = ['auto', 'deflate', 'store', 'adaptive', 'zstd']

/** The mode of that name; throws a `TypeError` where there is none. */
export function drainMode(name: string | undefined): Mode {
  const mode = MODES.find((each) => each === name)
  if (mode === undefined) throw new TypeError(`Expected one of ${MODES.join(', ')}; got ${name}`)
  return mode
}
