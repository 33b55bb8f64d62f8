export { keyOf } from './key.ts'
export { UploadError, isUploadError } from './error.ts'
export type { UploadErrorCode, UploadErrorFacts, UploadErrorScope } from './error.ts'
export { openDestination } from './open-destination.ts'
export type { DestinationOptions } from './open-destination.ts'
export type {
  Destination,
  GrowingFile,
  GrowingUpload,
  Progress,
  PutOptions,
  PutStreamOptions,
  Stored,
} from './destination.ts'
export { growingState } from './growing-state.ts'
export type { GrowingState } from './growing-state.ts'
export type { S3Credentials, S3Options } from './s3/options.ts'
export { UploadQueue } from './queue/queue.ts'
export type {
  LockMode,
  QueueEvent,
  QueueOptions,
  QueueStats,
  RunOptions,
  SweepOptions,
  SweepResult,
  WaitingFile,
} from './queue/options.ts'
export { NoProxy } from './proxies.ts'
