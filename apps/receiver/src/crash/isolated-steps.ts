import { readlinkSync } from 'node:fs'
import {
  type Crash,
  type IsolatedSteps,
  snapshotOptions,
  type StopSignal,
} from '@core-dump-handler/capture'
import type { ComposerSettings } from '@core-dump-handler/capture/settings'
import { type Lookup, type ProcessSnapshot, snapshotProcess } from '@core-dump-handler/cri'
import type { Peer } from '@core-dump-handler/coredump-socket'
import type { Helpers } from '../helper/helpers.ts'
import type { ReportHelpers } from '../report/report-helpers.ts'

/** The kernel reads these from the memory of the process, all others from its own. */
const MEMORY_FILES: ReadonlySet<string> = new Set(['cmdline', 'environ'])
const MEMORY_TIMEOUT_MS = 1000
const MAX_FILE_BYTES = 2_097_152

export interface IsolatedStepsOptions {
  readonly helpers: Helpers
  readonly reports: ReportHelpers
  readonly settings: ComposerSettings
  readonly home: string
  /** Whether too many crashes are captured at once for more than registers and modules. */
  readonly isBusy: () => boolean
}

/** The steps of a capture that may block, done by helpers. */
export function isolatedSteps({
  helpers,
  reports,
  settings,
  home,
  isBusy,
}: IsolatedStepsOptions): IsolatedSteps {
  async function snapshot(crash: Crash): Promise<ProcessSnapshot | undefined> {
    if (crash.hostPid === undefined) return undefined
    const { includeFiles = [], ...options } = snapshotOptions(crash, settings)
    const plain = includeFiles.filter((name) => !MEMORY_FILES.has(name))
    const taken = snapshotProcess(crash.hostPid, { ...options, includeFiles: plain })
    const memory = includeFiles.filter((name) => MEMORY_FILES.has(name))
    if (!taken.stable || memory.length === 0) return taken
    const directory = threadDirectory(crash, settings)
    const request = { directory, files: memory, maxFileBytes: MAX_FILE_BYTES, wantsHostname: false }
    const read = await helpers.readProcess(request, MEMORY_TIMEOUT_MS)
    const files = new Map<string, Buffer>()
    for (const name of includeFiles) {
      const bytes = taken.files.get(name) ?? read?.files.get(name)?.bytes
      if (bytes !== undefined) files.set(name, bytes)
    }
    const errors = read?.errors ?? [
      `${memory.join(' and ')} of process ${crash.hostPid} could not be read within ${MEMORY_TIMEOUT_MS} ms: its memory does not answer`,
    ]
    const warnings = errors.map((message) => ({
      code: 'PROCESS_FILE_UNREADABLE' as const,
      message,
    }))
    return { ...taken, files, warnings: [...taken.warnings, ...warnings] }
  }

  return {
    snapshot,
    lookup: (subject, stop: StopSignal, factor: number): Lookup =>
      helpers.lookup(subject, { settings, home, factor, signal: stop.signal }),
    report: (directory) => reports.start(directory, isBusy()),
  }
}

/**
 * The host name that the kernel would pass as `%h`. There is no file of another UTS namespace: a
 * process in the node's own has the node's name, and container runtimes put that of a pod into the
 * environment. '' where it is not known; it is text for the file name, never proof.
 */
export async function hostnameOf(
  { pid, hasEnded }: Peer,
  helpers: Helpers,
  settings: ComposerSettings,
  nodeHostname: string,
): Promise<string> {
  if (hasEnded) return ''
  const uts = (of: number | 'self'): string | undefined => {
    try {
      return readlinkSync(`${settings.procRoot}/${of}/ns/uts`)
    } catch {
      return undefined
    }
  }
  const own = uts(pid)
  if (own !== undefined && (own === uts(1) || own === uts('self'))) return nodeHostname
  const directory = `${settings.procRoot}/${pid}`
  const request = { directory, files: [], maxFileBytes: 0, wantsHostname: true }
  return (await helpers.readProcess(request, MEMORY_TIMEOUT_MS))?.hostname ?? ''
}

function threadDirectory({ hostPid, hostTid }: Crash, { procRoot }: ComposerSettings): string {
  return `${procRoot}/${hostPid}/task/${hostTid ?? hostPid}`
}
