export { CriError, isCriError } from './error.ts'
export type { CriErrorCode } from './error.ts'
export type { JsonObject, JsonValue } from './json.ts'
export { openContainerLog } from './log/open.ts'
export type { ContainerLog, LogTail } from './log/container-log.ts'
export type { LogOptions } from './log/open.ts'
export { lookUp } from './look-up/look-up.ts'
export type {
  ContainerDetails,
  CrashFacts,
  Identified,
  Identity,
  IdentityStatus,
  LookUp,
  LookUpOptions,
  LookUpResult,
  LookUpSubject,
} from './look-up/types.ts'
export type { Problem, ProblemCode } from './problem.ts'
export { containerIds, podUid } from './process/cgroup.ts'
export { snapshotProcess } from './process/snapshot.ts'
export { snapshotProcessWithin } from './process/snapshot-within.ts'
export type {
  ProcessSnapshot,
  ProcessStatus,
  SnapshotOptions,
  SnapshotWithinOptions,
} from './process/types.ts'
export { openRuntime } from './runtime/open.ts'
export type { RuntimeOptions } from './runtime/options.ts'
export type { CallOptions, Inspection, Runtime } from './runtime/runtime.ts'
export { RUNTIME_SOCKETS } from './runtime/sockets.ts'
