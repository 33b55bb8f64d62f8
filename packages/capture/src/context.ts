import type { CoreReasonCode } from '@core-dump-handler/bundle'
import type { Lookup, LookupSubject, ProcessSnapshot } from '@core-dump-handler/cri'
import type { Limiter } from './concurrency/limiter.ts'
import type { Load } from './concurrency/scheduler.ts'
import type { Crash } from './crash.ts'
import type { CrashReport, ReportOptions } from './report/analyze-crash.ts'
import type { StackCapture, StackReader } from './report/stack-capture.ts'
import type { ComposerSettings } from './settings/schema.ts'
import type { StopSignal } from './timing.ts'
import type { Warnings } from './warnings.ts'

/** Where a capture writes what an operator should read. */
export interface CaptureLog {
  write(level: 'error' | 'warn' | 'info' | 'debug', message: string): void
}

/** The steps that may block for ever, done by a process that can be given up. */
export interface IsolatedSteps {
  /** As `snapshotCrash`; the process is held meanwhile. */
  snapshot(crash: Crash): Promise<ProcessSnapshot | undefined>
  /** As `startLookup` of `cri`, within `factor` times the limits of the settings. */
  lookup(subject: LookupSubject, stop: StopSignal, factor: number): Lookup
  /** The report of the process that `directory` of procfs shows; undefined: of none that is held. */
  report(directory: string | undefined): IsolatedReport
}

/** Sends the parts of a bundle to the store while it is written, as `GrowingUpload` of `upload`. */
export interface BundleUpload extends AsyncDisposable {
  /** The most bytes that it can upload. */
  readonly maxBytes: number
  readonly partBytes: number
  /** Bytes that only the store has, all after the first part. */
  readonly freedBytes: number
  /** Why the last attempt failed, until one succeeds. */
  readonly failure: Error | undefined
  /** Nothing more is freed. */
  readonly isOver: boolean
  /** The first `bytes` of the file do not change any more, except in the first part. */
  advance(bytes: number): void
  /** Ends the sending. */
  stop(): Promise<void>
  /** The file is finished: it may get its final name now. */
  seal(): Promise<void>
}

/** A bundle that is still written, for its upload. */
export interface UnfinishedBundle {
  readonly path: string
  readonly finalPath: string
  readonly uuid: string
  /** Length of its core, where the ELF headers contain it. */
  readonly expectedBytes: number | undefined
}

/** Everything that one capture needs beside the crash and its core. */
export interface CaptureContext {
  readonly settings: ComposerSettings
  /** Directory of `crictl`, `crictl.yaml`, `rate/` and `events/`; undefined: there is none. */
  readonly home: string | undefined
  /** Where the bundle goes, absolute; it is created where it is missing. */
  readonly directory: string
  /** Name of this node, where the program has a host name of its own. @default the host name */
  readonly nodeHostname?: string
  /** Version of the program, for the manifest. */
  readonly version: string
  /** Of this crash alone: they become `problems` in its manifest. */
  readonly warnings: Warnings
  readonly log: CaptureLog
  readonly stop: StopSignal
  readonly limiter: Limiter
  /** koffi's native module, as `koffiPath` of `drain`. */
  readonly koffiPath?: string | undefined
  /** For a process that captures many crashes; without it this process does these steps. */
  readonly isolated?: IsolatedSteps
  /** Begins the upload of a bundle for STRAIGHT_TO_STORE; without it that setting has no effect. */
  readonly uploadBundle?: ((bundle: UnfinishedBundle) => Promise<BundleUpload>) | undefined
  /** Called at most ten times a second with the bytes read of the core. */
  readonly onProgress?: ((bytes: number) => void) | undefined
  /** Called before the stacks of more than 64 threads are read, as when they take much memory for a while. */
  readonly onManyThreads?: (() => Promise<void>) | undefined
  /** Called once the unfinished bundle is on the disk: what kills this process leaves it to be salvaged. */
  readonly onOpened?: () => void
  /** Called once the bundle has its final name and is on the disk. */
  readonly onPublished?: (path: string) => void
}

/** How a capture ended. */
export interface CaptureResult {
  /** The bundle, where one was written. */
  readonly path?: string
  /** There is no core, or it could not be read or written whole. */
  readonly coreFailed: boolean
  /** A host name was given, and the runtime has no pod or no container list for it. */
  readonly podMissing: boolean
}

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
