import type { CoreReasonCode } from '@core-dump-handler/bundle'
import { existsSync, statfs, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import type { Identified } from '@core-dump-handler/cri'
import type { CaptureContext } from '../context.ts'
import type { Crash } from '../crash.ts'
import { exists } from '../system/make-directory.ts'
import { errorMessage } from '../text.ts'
import { within } from '../timing.ts'

// not node:fs/promises: it would be loaded while a process is held
const statFileSystem = promisify(statfs)

/** What a crash becomes: a bundle with its core, a record without one, or nothing. */
export type Decision = BundleDecision | { readonly take: 'nothing'; readonly reason: string }

/** With its core, or a record without one. */
export type BundleDecision = { readonly take: 'core' } | RecordDecision

export interface RecordDecision {
  readonly take: 'record'
  readonly reason: string
  /** @default CORE_REFUSED */
  readonly code?: CoreReasonCode
}

const CORE: BundleDecision = { take: 'core' }
// below one page no useful core would be written: the process was configured to leave none
const PAGE_BYTES = 4096

/** A disk that does not answer in this time is written to without knowing its free space. */
const DISK_WAIT_MS = 1000

/** Bytes free for root's files where `path` is, statfs(2). */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statFileSystem(path)
  return bavail * bsize
}

/**
 * Settings that reject a core; they need neither the core nor the container runtime. `freeOf`: the
 * free space of a directory that may not exist yet.
 */
export async function applyPolicy(
  crash: Crash,
  context: CaptureContext,
  freeOf: (directory: string) => number | Promise<number> = freeOnPool,
): Promise<BundleDecision> {
  const { settings, directory, warnings } = context
  const { limitSize, dumpMode } = crash
  if (settings.honorCoreLimit && /^\d+$/.test(limitSize) && Number(limitSize) < PAGE_BYTES) {
    const reason = `The process has a core limit of ${limitSize} bytes and HONOR_CORE_LIMIT is set`
    return { take: 'record', reason }
  }
  if (settings.suidCores === 'refuse' && dumpMode === 2) {
    const reason = 'The process is set-uid or the like, and SUID_CORES is `refuse`'
    return { take: 'record', reason }
  }
  // a core that can go to the store waits for room
  const sends = context.uploadBundle !== undefined && settings.straightToStore !== 'off'
  const { minFreeBytes } = settings
  if (minFreeBytes === 0 || sends) return CORE
  try {
    const free = await within(Promise.resolve(freeOf(directory)), DISK_WAIT_MS)
    if (free === undefined) {
      const message = `The free space of \`${directory}\` is not known: the disk did not answer within ${DISK_WAIT_MS} ms`
      warnings.add('FREE_SPACE_UNKNOWN', message)
      return CORE
    }
    if (free >= minFreeBytes) return CORE
    const reason = `\`${directory}\` has ${free} bytes free, MIN_FREE_BYTES is ${minFreeBytes}`
    return { take: 'record', code: 'CORE_NO_SPACE', reason }
  } catch (error) {
    warnings.add('FREE_SPACE_UNKNOWN', errorMessage(error))
    return CORE
  }
}

/**
 * POD_SELECTOR_LABEL: a pod without the label is ignored, a host process is recorded, and a crash
 * whose pod is not proven is kept. `identified` is undefined where there is no selector.
 */
export function selectByLabel(
  crash: Crash,
  identified: Identified | undefined,
  { settings, warnings }: CaptureContext,
): Decision {
  const { podSelectorLabel: label, ignoreCrio } = settings
  if (label === '' || ignoreCrio || identified === undefined) return CORE
  const { identity, podInfo } = identified
  if (identity.status === 'host') {
    return { take: 'record', reason: `A host process has no pod with the label \`${label}\`` }
  }
  const labels = podInfo?.['labels']
  const proven = identity.status === 'verified' || crash.hostPid === undefined
  if (podInfo === undefined || !proven) {
    warnings.add(
      'SELECTOR_UNDECIDED',
      `Kept, because the pod of the crash is not proven: ${identity.reason ?? 'no pod was found'}`,
    )
    return CORE
  }
  if (typeof labels === 'object' && labels !== null && Object.hasOwn(labels, label)) return CORE
  return { take: 'nothing', reason: `The pod \`${identity.pod ?? ''}\` has no label \`${label}\`` }
}

/** The directory, or the nearest one above it that exists: both will be on one file system. */
async function freeOnPool(directory: string): Promise<number> {
  let existing = directory
  while (existing !== '/' && !(await exists(existing))) existing = dirname(existing)
  return freeBytes(existing)
}

/** Of a crash that waits for its slot: libuv's threads would be memory of each of them. */
export function freeAtOnce(directory: string): number {
  let existing = directory
  while (existing !== '/' && !existsSync(existing)) existing = dirname(existing)
  const { bavail, bsize } = statfsSync(existing)
  return bavail * bsize
}
