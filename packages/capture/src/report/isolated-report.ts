import type { CrashReport, ReportOptions } from './analyze-crash.ts'
import type { StackCapture, StackReader } from './stack-capture.ts'

/** What is kept of a core until its report is made. */
export type KeptCore = Pick<StackCapture, 'facts' | 'ofCore'>

/** The report of one crash, made by a process that can be given up: the crashed process is read there. */
export interface IsolatedReport extends StackReader {
  /** Too many crashes at once: the process is not read, and only registers and modules are kept of its core. */
  readonly isBusy: boolean
  /** Resolves when the files of the process are open, or after a time limit; does not reject. */
  readonly opened: Promise<unknown>
  /** False where there is no room for what was captured until it is analysed: then it is busy, too. */
  keep(core: KeptCore): boolean
  analyze(core: KeptCore, options: ReportOptions): Promise<CrashReport>
  /** Idempotent. */
  close(): void
}
