import type { DrainMode } from '@core-dump-handler/ingest'

const MODES: readonly DrainMode[] = ['deflate', 'store', 'adaptive', 'zstd']

/** The mode of that name; throws a `TypeError` where there is none. */
export function drainMode(name: string | undefined): DrainMode {
  const mode = MODES.find((each) => each === name)
  if (mode === undefined) throw new TypeError(`Expected one of ${MODES.join(', ')}; got ${name}`)
  return mode
}
