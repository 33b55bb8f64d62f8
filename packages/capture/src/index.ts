export { bundleName } from './bundle/name.ts'
export type { NameFields } from './bundle/name.ts'
export { captureCrash } from './capture-crash.ts'
export { createLimiter, waitForTurn } from './concurrency/limiter.ts'
export type { Limiter, LimiterOptions, Slot, SlotRequest } from './concurrency/limiter.ts'
export { Scheduler } from './concurrency/scheduler.ts'
export type { Load, Stage, Ticket } from './concurrency/scheduler.ts'
export type {
  BundleUpload,
  CaptureContext,
  CaptureLog,
  CaptureResult,
  IsolatedSteps,
  UnfinishedBundle,
} from './context.ts'
export { DescriptorSource } from './core-source.ts'
export type { CoreSource, DescriptorSourceOptions } from './core-source.ts'
export { createCrash, PROCESS_FILES, snapshotOptions } from './crash.ts'
export type { Crash } from './crash.ts'
export { loadLookup } from './lookup/deferred-lookup.ts'
export type { StopCause, StopSignal } from './timing.ts'
export { appendBounded } from './system/append-bounded.ts'
export { monotonicMs, within } from './timing.ts'
export { makeDirectory } from './system/make-directory.ts'
export { randomUuid } from './bundle/name.ts'
export { errorCode, errorMessage, escapeControls } from './text.ts'
export { Warnings } from './warnings.ts'
