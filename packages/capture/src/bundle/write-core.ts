import { dirname } from 'node:path'
import { ENTRY, type CoreReasonCode, type ManifestCore } from '@core-dump-handler/bundle'
import { type DrainCut, type DrainMode, type DrainResult, drain } from '@core-dump-handler/ingest'
import type { CaptureContext } from '../context.ts'
import type { CoreSource } from '../core-source.ts'
import type { RecordDecision } from '../decide/select.ts'
import type { ReportTask } from '../report/report-task.ts'
import type { ComposerSettings } from '../settings/schema.ts'
import { errorMessage } from '../text.ts'
import { CoreRejected, SpaceWatch, watchCore } from './disk-limits.ts'
import type { Bundle } from './open-bundle.ts'

// so that the kernel's writing and our reading come first: a seventh of the time, measured
const LANE_NICE = 5

export interface WrittenCore {
  readonly core: ManifestCore
  /** There is no core, or it could not be read or written whole. */
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
const FAILED: readonly DrainCut[] = ['read-error', 'no-space', 'write-error', 'empty']

/** The core into `<name>.core`; the process is released when this is done, also when it fails. */
export async function writeCore(
  { name, zip, part }: Bundle,
  source: CoreSource,
  context: CaptureContext,
  report: ReportTask,
): Promise<WrittenCore> {
  const { settings, stop, warnings, onProgress } = context
  const full = new AbortController()
  const space = new SpaceWatch(dirname(part.path), settings)
  const packing = packingOf(settings)
  const watch = watchCore(dirname(part.path), settings, (reason) => {
    warnings.add('CORE_CUT', reason)
    full.abort(new Error(reason))
  })
  try {
    const result = await drain(source.drainable, zip, {
      entryName: `${name}${ENTRY.core}`,
      laneNice: LANE_NICE,
      ...packing,
      mayStore: () => space.hasSpace,
      signal: AbortSignal.any([stop.signal, full.signal]),
      onData: report.onData,
      onRelease: () => source.markReleased(),
      ...(settings.maxCoreBytes > 0 && { maxBytes: settings.maxCoreBytes }),
      onProgress: (progress) => {
        watch(progress)
        if (packing.mode === 'adaptive') space.update(progress)
        onProgress?.(progress.bytes)
      },
    })
    source.markReleased()
    const { cut, reason = 'The core was cut' } = result
    if (cut === 'no-space') warnings.add('DISK_FULL', reason)
    if (cut === 'limit' || cut === 'write-error') warnings.add('CORE_CUT', reason)
    const abortedBy = full.signal.aborted ? 'CORE_CUT' : stop.cause?.code
    const core = coreOf(result, abortedBy, packing.holdBudgetMs, context)
    return { core, failed: cut !== undefined && FAILED.includes(cut) }
  } catch (error) {
    if (error instanceof Error && error.cause instanceof CoreRejected) {
      const reason = errorMessage(error.cause)
      await report.readRest()
      return rejectCore({ take: 'record', code: 'CORE_OVERSIZED', reason }, source, context)
    }
    // not even its beginning found room: what remains is the record with the reason
    const reason = errorMessage(error)
    const record = await rejectCore(
      { take: 'record', code: 'CORE_NOT_WRITTEN', reason },
      source,
      context,
    )
    return { ...record, failed: true }
  }
}

/** A record in place of the core. */
export async function rejectCore(
  { reason, code = 'CORE_REFUSED' }: RecordDecision,
  source: CoreSource,
  { warnings }: CaptureContext,
): Promise<WrittenCore> {
  source.release()
  warnings.add(code, reason)
  return { core: { bytes: 0, complete: false, reason, reasonCode: code }, failed: false }
}

/** By default all is compressed, unless that holds the process for longer than its budget. */
function packingOf(settings: ComposerSettings): { mode: DrainMode; holdBudgetMs?: number } {
  const { compression, compressionMode, holdBudgetMs } = settings
  if (compressionMode === '' && !compression) return { mode: 'store' }
  const mode = compressionMode || (holdBudgetMs > 0 ? 'adaptive' : 'deflate')
  return mode === 'adaptive' ? { mode, holdBudgetMs } : { mode }
}

function coreOf(
  result: DrainResult,
  abortedBy: CoreReasonCode | undefined,
  holdBudgetMs: number | undefined,
  { stop, warnings }: CaptureContext,
): ManifestCore {
  const { expectedBytes, isElf } = result.elf
  if (!isElf && result.bytes > 0) {
    warnings.add('NOT_AN_ELF', 'The core is not an ELF file')
  }
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
