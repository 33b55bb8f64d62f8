import { dirname } from 'node:path'
import { type DrainCut, type DrainMode, type DrainResult, drain } from '@core-dump-handler/ingest'
import { messageOf } from '../log/message-of.ts'
import type { ComposerSettings } from '../settings/settings.ts'
import type { Task } from '../task.ts'
import { CoreRefused, RoomWatch, watchCore } from './core-watch.ts'
import { ENTRY, type CoreReasonCode, type ManifestCore } from '@core-dump-handler/bundle'
import type { Bundle } from './open.ts'

// enough that the kernel's writing and our reading come first: a seventh of the time, measured
const LANE_NICE = 5

export interface TakenCore {
  readonly core: ManifestCore
  /** The core could not be read or written as it should. */
  readonly failed: boolean
}

const CODES: Readonly<Record<Exclude<DrainCut, 'aborted'>, CoreReasonCode>> = {
  limit: 'CORE_CUT',
  'write-error': 'CORE_CUT',
  'no-space': 'DISK_FULL',
  'read-error': 'READ_ERROR',
  truncated: 'TRUNCATED',
  empty: 'EMPTY',
}
const FAILED: readonly DrainCut[] = ['read-error', 'no-space', 'write-error']

/** fd 0 into `<name>.core`; the process is free once this is done, whatever happened. */
export async function takeCore({ name, zip, part }: Bundle, task: Task): Promise<TakenCore> {
  const { settings, source, stop, problems, onProgress } = task
  const entryName = `${name}${ENTRY.core}`
  const full = new AbortController()
  const room = new RoomWatch(dirname(part.path), settings)
  const packing = packingOf(settings, task.args.switches.has('disable-compression'))
  const watch = watchCore(dirname(part.path), settings, (reason) => {
    problems.add('CORE_CUT', reason)
    full.abort(new Error(reason))
  })
  try {
    const result = await drain(source.drainable, zip, {
      entryName,
      laneNice: LANE_NICE,
      ...packing,
      mayStore: () => room.hasRoom,
      signal: AbortSignal.any([stop.signal, full.signal]),
      onRelease: () => source.markReleased(),
      ...(settings.maxCoreBytes > 0 && { maxBytes: settings.maxCoreBytes }),
      onProgress: (progress) => {
        watch(progress)
        if (packing.mode === 'adaptive') room.look(progress)
        onProgress?.(progress.bytes)
      },
    })
    source.markReleased()
    const { cut, reason = 'The core was cut' } = result
    if (cut === 'no-space') problems.add('DISK_FULL', reason)
    if (cut === 'limit' || cut === 'write-error') problems.add('CORE_CUT', reason)
    const why = full.signal.aborted ? 'CORE_CUT' : task.stop.cause?.code
    const core = describeCore(result, why, packing.holdBudgetMs, task)
    return { core, failed: cut !== undefined && FAILED.includes(cut) }
  } catch (error) {
    source.release()
    if (isRefusal(error)) return refuseCore('CORE_OVERSIZED', messageOf(error.cause), task)
    // not even its beginning found room: what remains is the record that says why
    const reason = messageOf(error)
    problems.add('CORE_NOT_WRITTEN', reason)
    const core = { bytes: 0, complete: false, reason, reasonCode: 'CORE_NOT_WRITTEN' } as const
    return { core, failed: true }
  }
}

/** A record instead of a core. */
export async function refuseCore(
  code: CoreReasonCode,
  reason: string,
  { source, problems }: Task,
): Promise<TakenCore> {
  source.release()
  problems.add(code, reason)
  return { core: { bytes: 0, complete: false, reason, reasonCode: code }, failed: false }
}

function isRefusal(error: unknown): error is Error {
  return error instanceof Error && error.cause instanceof CoreRefused
}

/** In full, unless that holds the process for longer than its budget; told to deflate, in full. */
function packingOf(
  settings: ComposerSettings,
  disabled: boolean,
): { mode: DrainMode; holdBudgetMs?: number } {
  if (disabled) return { mode: 'store' }
  const { compressionMode, holdBudgetMs } = settings
  if (compressionMode === '' && !settings.compression) return { mode: 'store' }
  const mode = compressionMode || (holdBudgetMs > 0 ? 'adaptive' : 'deflate')
  return mode === 'adaptive' ? { mode, holdBudgetMs } : { mode }
}

function describeCore(
  result: DrainResult,
  abortedBy: CoreReasonCode | undefined,
  holdBudgetMs: number | undefined,
  { stop, problems }: Task,
): ManifestCore {
  const { expectedBytes, isElf } = result.elf
  if (!isElf && result.bytes > 0)
    problems.add('NOT_AN_ELF', 'What came on stdin is not an ELF file')
  const reason = result.cut === 'aborted' ? stop.cause?.message : result.reason
  return {
    entry: result.entryName,
    bytes: result.bytes,
    storedBytes: result.storedBytes,
    ...(expectedBytes !== undefined && { expectedBytes }),
    complete: result.complete,
    ...(!result.complete && {
      reason: reason ?? result.reason ?? 'The core was cut',
      reasonCode:
        result.cut === 'aborted' ? (abortedBy ?? 'CORE_CUT') : CODES[result.cut ?? 'limit'],
    }),
    crc32: result.crc32.toString(16).padStart(8, '0'),
    method: result.method,
    mode: result.mode,
    ...(holdBudgetMs !== undefined && { holdBudgetMs }),
    treated: result.treated,
  }
}
