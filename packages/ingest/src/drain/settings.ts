import { availableParallelism } from 'node:os'
import type { DrainMode, DrainOptions } from './options.ts'
import { invalid } from './invalid.ts'

const MODES: readonly DrainMode[] = ['deflate', 'store', 'adaptive', 'zstd']
const PAGE = 4096
const MAX_LANES = 8

export const DEFAULT_BLOCK_BYTES: number = 128 * 1024

export function defaultLanes(): number {
  return Math.min(availableParallelism() + 1, MAX_LANES)
}

export type DrainSettings = Required<
  Pick<
    DrainOptions,
    | 'entryName'
    | 'mode'
    | 'level'
    | 'lanes'
    | 'laneNice'
    | 'holdBudgetMs'
    | 'mayStore'
    | 'maxBytes'
    | 'blockBytes'
    | 'spareBytes'
  >
>

/** The options with their defaults; throws `INVALID_OPTION`, before anything is read. */
export function settingsOf(options: DrainOptions): DrainSettings {
  const {
    entryName,
    mode = 'deflate',
    level = 1,
    lanes = defaultLanes(),
    laneNice = 0,
    holdBudgetMs = 0,
    mayStore = () => true,
    maxBytes = Infinity,
    blockBytes = DEFAULT_BLOCK_BYTES,
    spareBytes = 256 * 1024,
  } = options
  if (!MODES.includes(mode)) throw invalid('mode', `one of ${MODES.join(', ')}`, mode)
  assertInteger('level', level, 1, mode === 'zstd' ? 19 : 9)
  assertInteger('lanes', lanes, 1, 64)
  assertInteger('laneNice', laneNice, 0, 19)
  assertInteger('blockBytes', blockBytes, 4 * PAGE, 16 * 1024 * 1024)
  if (blockBytes % PAGE !== 0) throw invalid('blockBytes', `a multiple of ${PAGE}`, `${blockBytes}`)
  if (!(holdBudgetMs >= 0)) throw invalid('holdBudgetMs', '0 or more', `${holdBudgetMs}`)
  if (!(maxBytes >= 0)) throw invalid('maxBytes', '0 or more', `${maxBytes}`)
  if (!(spareBytes >= 0)) throw invalid('spareBytes', '0 or more', `${spareBytes}`)
  return {
    entryName,
    mode,
    level,
    lanes,
    laneNice,
    holdBudgetMs,
    mayStore,
    maxBytes,
    blockBytes,
    spareBytes,
  }
}

/** How many blocks are read into: those in the lanes, and enough to keep these at work while zeros pass. */
export function blocksFor({ lanes }: { readonly lanes: number }): number {
  return lanes + 16
}

function assertInteger(option: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return
  throw invalid(option, `an integer from ${min} to ${max}`, String(value))
}
