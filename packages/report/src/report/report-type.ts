import type { Fingerprint } from '../fingerprint/fingerprint.ts'
import type { Trust } from '../unwind/frame.ts'

export const REPORT_SCHEMA = 'core-dump-handler/report@1'

/** Addresses are hex strings, as numbers of JSON are exact up to 2^53 only. */
export interface Report {
  readonly schema: typeof REPORT_SCHEMA
  readonly crash: ReportCrash
  readonly fingerprint: Fingerprint
  readonly modules: readonly ReportModule[]
  /** Absent when the core has no thread. */
  readonly crashingThread?: ReportThread
  /** The other threads, those with the same frames together; largest group first. */
  readonly groups: readonly ReportGroup[]
  /** What the report does not have, in sentences. */
  readonly skipped: readonly string[]
}

export interface ReportCrash {
  readonly signal?: number
  readonly signalName?: string
  /** si_code. */
  readonly code?: number
  readonly codeName?: string
  /** Of a fault. */
  readonly faultAddress?: string
  /** Of a signal that a process sent. */
  readonly senderPid?: number
  readonly comm?: string
  readonly exe?: string
  readonly exeBuildId?: string
}

export interface ReportModule {
  readonly path: string
  readonly buildId?: string
  readonly start: string
  readonly end: string
  /** Why its file was not used. */
  readonly problem?: string
}

export interface ReportThread {
  readonly tid: number
  readonly registers: Readonly<Record<string, string>>
  readonly frames: readonly ReportFrame[]
}

export interface ReportGroup {
  readonly threads: readonly number[]
  readonly frames: readonly ReportFrame[]
}

export interface ReportFrame {
  readonly pc: string
  /** Index in `modules`. */
  readonly module?: number
  /** `pc` in the module's own numbering, as nm and addr2line have it. */
  readonly offset?: string
  readonly symbol?: string
  /** Bytes from the symbol to `pc`. */
  readonly plus?: number
  readonly trust: Trust
}
