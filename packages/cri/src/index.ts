export { blockingCalls, createBlockingCalls } from './blocking-calls.ts'
export type { BlockingCalls, CallLimit } from './blocking-calls.ts'
export { CriError, isCriError } from './error.ts'
export type { CriErrorCode, Warning, WarningCode } from './error.ts'
export type { JsonObject, JsonValue } from './json.ts'
export { openContainerLog } from './log/open-container-log.ts'
export type { ContainerLog, LogOptions } from './log/open-container-log.ts'
export type { LogTail } from './log/read-tail.ts'
export { startLookup } from './lookup/start-lookup.ts'
export type {
  ContainerDetails,
  Identified,
  Identity,
  IdentityStatus,
  Lookup,
  LookupOptions,
  LookupResult,
  LookupSubject,
} from './lookup/types.ts'
export { cgroupLayers, containerIds, podUid } from './process/cgroup.ts'
export type { CgroupLayer } from './process/cgroup.ts'
export { snapshotProcess } from './process/snapshot-process.ts'
export { snapshotProcessWithin } from './process/snapshot-process-within.ts'
export type {
  CrashFacts,
  ProcessSnapshot,
  ProcessStatus,
  SnapshotOptions,
  SnapshotWithinOptions,
} from './process/types.ts'
export { openRuntime } from './runtime/open-runtime.ts'
export type { RuntimeOptions } from './runtime/open-runtime.ts'
export type { CallOptions, Inspection, PodFilter, Runtime } from './runtime/runtime.ts'
export { findSockets, RUNTIME_SOCKETS } from './runtime/find-sockets.ts'
