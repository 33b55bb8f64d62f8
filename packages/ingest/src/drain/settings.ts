import { availableParallelism } from 'node:os'
import { invalidOption } from '../error.ts'
import type { EngineChoice } from './engine/engine.ts'
import type { CompressionEngine, DrainMode, DrainOptions } from './options.ts'

const MODES: readonly (DrainMode | 'auto')[] = ['auto', 'deflate', 'store', 'adaptive', 'zstd']
const ENGINES: readonly (CompressionEngine | 'auto')[] = ['auto', 'isal', 'zlib']
const PAGE = 4096
const MAX_LANES = 8
/** A longer timer would fire at once; setTimeout. */
const MAX_TIMER_MS = 2 ** 31 - 1

export const DEFAULT_BLOCK_BYTES: number = 128 * 1024

export function defaultLanes(): number {
  return Math.min(availableParallelism() + 1, MAX_LANES)
}

export type DrainSettings = Required<
  Pick<
    DrainOptions,
    | 'entryName'
    | 'mode'
    | 'engine'
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
    engine = 'auto',
    level = 1,
    lanes = defaultLanes(),
    laneNice = 0,
    holdBudgetMs = 0,
    mayStore = () => true,
    maxBytes = Infinity,
    blockBytes = DEFAULT_BLOCK_BYTES,
    spareBytes = 256 * 1024,
  } = options
  if (!MODES.includes(mode)) throw invalidOption('mode', `one of ${MODES.join(', ')}`, mode)
  if (!ENGINES.includes(engine)) {
    throw invalidOption('engine', `one of ${ENGINES.join(', ')}`, engine)
  }
  assertInteger('level', level, 1, mode === 'zstd' ? 19 : 9)
  assertInteger('lanes', lanes, 1, 64)
  assertInteger('laneNice', laneNice, 0, 19)
  assertInteger('blockBytes', blockBytes, 4 * PAGE, 16 * 1024 * 1024)
  if (blockBytes % PAGE !== 0)
    throw invalidOption('blockBytes', `a multiple of ${PAGE}`, `${blockBytes}`)
  if (!(holdBudgetMs >= 0)) throw invalidOption('holdBudgetMs', '0 or more', `${holdBudgetMs}`)
  if (!(maxBytes >= 0)) throw invalidOption('maxBytes', '0 or more', `${maxBytes}`)
  if (!(spareBytes >= 0)) throw invalidOption('spareBytes', '0 or more', `${spareBytes}`)
  return {
    entryName,
    mode,
    engine,
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

/** Number of blocks: those in the lanes, and enough to keep the lanes busy while zeros are read. */
export function blocksFor({ lanes }: { readonly lanes: number }): number {
  return lanes + 16
}

function assertInteger(option: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return
  throw invalidOption(option, `an integer from ${min} to ${max}`, String(value))
}

/** What `auto` means with the engine that was chosen: ISA-L keeps pace with the reading, zlib does not. */
export function modeWith(engine: EngineChoice, mode: DrainSettings['mode']): DrainMode {
  if (mode !== 'auto') return mode
  return engine.name === 'isal' ? 'deflate' : 'adaptive'
}

/** Whether data is stored instead of compressed while so many lanes are busy. */
export type StoringPolicy = (busyLanes: number) => boolean

/** `started`: the `performance.now()` since which the source is held. */
export function storingPolicy(
  settings: DrainSettings,
  started: number,
  engine: EngineChoice,
): StoringPolicy {
  const { mode, lanes, holdBudgetMs, mayStore } = settings
  if (mode === 'store') return () => true
  if (mode === 'deflate' || mode === 'zstd') return () => false
  // compressing on all CPUs would take turns with the reading, and with the writer of the pipe
  const yielding = Math.max(1, Math.min(lanes, availableParallelism() - 1))
  return (busyLanes) =>
    modeWith(engine, mode) === 'adaptive' &&
    busyLanes >= yielding &&
    performance.now() - started >= holdBudgetMs &&
    mayStore()
}

/** Milliseconds until the hold budget ends; undefined where there is none. */
export function budgetLeft(settings: DrainSettings, started: number): number | undefined {
  const { mode, holdBudgetMs } = settings
  if ((mode !== 'adaptive' && mode !== 'auto') || holdBudgetMs > MAX_TIMER_MS) return undefined
  return Math.max(0, Math.ceil(started + holdBudgetMs - performance.now()))
}
