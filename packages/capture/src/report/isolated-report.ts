import type { CoreReasonCode } from '@core-dump-handler/bundle'
import type { Load } from '../concurrency/scheduler.ts'
import type { ComposerSettings } from '../settings/schema.ts'
import type { CrashReport, ReportOptions } from './analyze-crash.ts'
import type { StackCapture, StackReader } from './stack-capture.ts'

/** What is kept of a core until its report is made. */
export type KeptCore = Pick<StackCapture, 'facts' | 'ofCore'>

/** Arguments of `CaptureLog.write`. */
export type LogLine = readonly [level: 'error' | 'warn' | 'info' | 'debug', message: string]

/** What `copyBinaries` needs to know of a crash and of its capture. */
export interface BinariesOf {
  readonly load: Load
  readonly reasonCode: CoreReasonCode | undefined
  readonly settings: ComposerSettings
  readonly directory: string
}

/** The report of one crash, made by a process that can be given up: the crashed process is read there. */
export interface IsolatedReport extends StackReader {
  /** Too many crashes at once: the process is not read, and only registers and modules are kept of its core. */
  readonly isBusy: boolean
  /** Resolves when the files of the process are open, or after a time limit; does not reject. */
  readonly opened: Promise<unknown>
  /** False where there is no room for what was captured until it is analysed: then it is busy, too. */
  keep(core: KeptCore): boolean
  /** As `findFingerprint`. */
  fingerprint(core: KeptCore): Promise<string | undefined>
  analyze(core: KeptCore, options: ReportOptions): Promise<CrashReport>
  /** As `copyBinaries`; resolves with what it wrote to the log. */
  copyBinaries(of: BinariesOf): Promise<readonly LogLine[]>
  /** Idempotent. */
  close(): void
}
