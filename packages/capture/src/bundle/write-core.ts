import { dirname } from 'node:path'
import { ENTRY, type CoreReasonCode, type ManifestCore } from '@core-dump-handler/bundle'
import {
  type DrainCut,
  type DrainOptions,
  type DrainResult,
  drain,
} from '@core-dump-handler/ingest'
import type { CaptureContext } from '../context.ts'
import type { CoreSource } from '../core-source.ts'
import type { RecordDecision } from '../decide/select.ts'
import type { ReportTask } from '../report/report-task.ts'
import type { ComposerSettings } from '../settings/schema.ts'
import { errorMessage } from '../text.ts'
import { checkSize, CoreRejected, SpaceWatch } from './disk-limits.ts'
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
  { name, zip, part, store }: Bundle,
  source: CoreSource,
  context: CaptureContext,
  report: ReportTask,
): Promise<WrittenCore> {
  const { settings, stop, warnings, koffiPath, onProgress } = context
  const full = new AbortController()
  const packing = packingOf(settings)
  const space = new SpaceWatch(dirname(part.path), settings, (reason) => {
    // with a store the core waits for room
    if (store === undefined) full.abort(new Error(reason))
  })
  store?.beginCore()
  try {
    const result = await drain(source.take(), zip, {
      entryName: `${name}${ENTRY.core}`,
      laneNice: LANE_NICE,
      ...packing,
      engine: settings.compressionEngine,
      ...(koffiPath !== undefined && { koffiPath }),
      mayStore: () => space.hasSpace,
      signal: AbortSignal.any([stop.signal, full.signal]),
      onData: report.onData,
      onRelease: () => source.markReleased(),
      ...(settings.maxCoreBytes > 0 && { maxBytes: settings.maxCoreBytes }),
      onProgress: (progress) => {
        checkSize(progress, settings)
        void space.update(progress)
        if (store !== undefined) store.expectedBytes = progress.expectedBytes
        onProgress?.(progress.bytes)
      },
    })
    source.markReleased()
    await store?.endCore()
    report.keep()
    reportEngine(result, context)
    const { cut, reason = 'The core was cut' } = result
    // full only after the last byte: nothing was cut
    const isCut = cut === 'aborted' && full.signal.aborted
    if (isCut) warnings.add('CORE_CUT', errorMessage(full.signal.reason))
    if (cut === 'no-space') warnings.add('DISK_FULL', reason)
    if (cut === 'limit' || cut === 'write-error') warnings.add('CORE_CUT', reason)
    const abortedBy = isCut ? 'CORE_CUT' : stop.cause?.code
    const core = coreOf(result, abortedBy, packing.holdBudgetMs, context)
    return { core, failed: cut !== undefined && FAILED.includes(cut) }
  } catch (error) {
    await store?.endCore()
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
function packingOf(settings: ComposerSettings): Pick<DrainOptions, 'mode' | 'holdBudgetMs'> {
  const { compression, compressionMode, holdBudgetMs } = settings
  if (compressionMode === '' && !compression) return { mode: 'store' }
  const mode = compressionMode || (holdBudgetMs > 0 ? 'auto' : 'deflate')
  return mode === 'adaptive' || mode === 'auto' ? { mode, holdBudgetMs } : { mode }
}

/** A warning where ISA-L was asked for; where it is only preferred, a line in the log. */
function reportEngine(
  { engineFailure }: DrainResult,
  { settings, warnings, log }: CaptureContext,
): void {
  if (engineFailure === undefined) return
  const reason = `Compressed by zlib, because ISA-L cannot be loaded: ${engineFailure}`
  if (settings.compressionEngine === 'isal') warnings.add('ENGINE_UNAVAILABLE', reason)
  else log.write('info', reason)
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
    ...(result.engine !== undefined && { engine: result.engine }),
    ...(result.mode === 'adaptive' && holdBudgetMs !== undefined && { holdBudgetMs }),
    treated: result.treated,
  }
}
