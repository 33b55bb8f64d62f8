export { keyOf } from './key.ts'
export { UploadError, isUploadError } from './error.ts'
export type { UploadErrorCode, UploadErrorFacts, UploadErrorScope } from './error.ts'
export { openDestination } from './open-destination.ts'
export type {
  Destination,
  DestinationOptions,
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
  QueueOptions,
  RunOptions,
  SweepOptions,
  WaitingFile,
} from './queue/options.ts'
export type { QueueEvent, QueueStats, SweepResult } from './queue/events.ts'
export { NoProxy } from './no-proxy.ts'
