import type { CoreReasonCode } from '@core-dump-handler/bundle'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Identified } from '@core-dump-handler/cri'
import { freeBytes } from './bundle/core-watch.ts'
import type { Crash } from './crash/crash.ts'
import { messageOf } from './log/message-of.ts'
import type { Task } from './task.ts'

/** What is done about a crash: take the core, only record it, or leave it alone. */
export type Selection =
  | { readonly take: 'core' }
  /** `code`: of the problem that tells so. */
  | { readonly take: 'record'; readonly reason: string; readonly code?: CoreReasonCode }
  | { readonly take: 'nothing'; readonly reason: string }

const CORE: Selection = { take: 'core' }
// below one page nothing useful would be written: the process was told to leave no core
const PAGE_BYTES = 4096

/** The settings decide, before the first byte is read; `early` is the pod as far as it is known. */
export function select(
  crash: Crash,
  early: Identified | undefined,
  directory: string,
  task: Task,
): Selection {
  const { podSelectorLabel: label, ignoreCrio } = task.settings
  if (label !== '' && !ignoreCrio && early !== undefined) {
    const byLabel = selectByLabel(label, early, crash.hostPid !== undefined, task)
    if (byLabel.take !== 'core') return byLabel
  }
  return selectByPolicy(crash, directory, task)
}

/** POD_SELECTOR_LABEL: a pod without the label is left alone, a host process too, with a record. */
function selectByLabel(
  label: string,
  { identity, podInfo }: Identified,
  hasPid: boolean,
  { problems }: Task,
): Selection {
  if (identity.status === 'host') {
    return { take: 'record', reason: `A host process has no pod with the label \`${label}\`` }
  }
  const labels = podInfo?.['labels']
  const proven = identity.status === 'verified' || !hasPid
  if (podInfo === undefined || !proven) {
    problems.add(
      'SELECTOR_UNDECIDED',
      `Kept, because it is not proven whose crash it was: ${identity.reason ?? 'no pod was found'}`,
    )
    return CORE
  }
  if (typeof labels === 'object' && labels !== null && Object.hasOwn(labels, label)) return CORE
  return { take: 'nothing', reason: `The pod \`${identity.pod ?? ''}\` has no label \`${label}\`` }
}

/** Settings that refuse any core. */
function selectByPolicy(crash: Crash, directory: string, { settings, problems }: Task): Selection {
  if (settings.honorCoreLimit && /^\d+$/.test(crash.limitSize)) {
    if (Number(crash.limitSize) < PAGE_BYTES) {
      const reason = `The process has a core limit of ${crash.limitSize} bytes and HONOR_CORE_LIMIT is set`
      return { take: 'record', reason }
    }
  }
  if (settings.suidCores === 'refuse' && crash.dumpMode === 2) {
    return {
      take: 'record',
      reason: 'The process is set-uid or the like, and SUID_CORES is `refuse`',
    }
  }
  if (settings.minFreeBytes > 0) {
    try {
      const free = freeBytes(existing(directory))
      if (free < settings.minFreeBytes) {
        const reason = `\`${directory}\` has ${free} bytes free, MIN_FREE_BYTES is ${settings.minFreeBytes}`
        return { take: 'record', code: 'CORE_NO_SPACE', reason }
      }
    } catch (error) {
      problems.add('FREE_SPACE_UNKNOWN', messageOf(error))
    }
  }
  return CORE
}

/** The directory, or the nearest above it that is there: both will be on one file system. */
function existing(directory: string): string {
  return directory === '/' || existsSync(directory) ? directory : existing(dirname(directory))
}
