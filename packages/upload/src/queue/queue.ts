import type { Destination } from '../destination.ts'
import type { QueueStats, SweepResult } from './events.ts'
import type { QueueOptions, RunOptions, SweepOptions } from './options.ts'

/** Carries the finished bundles (`*.zip`) of one directory to a destination and deletes what it has confirmed. */
export class UploadQueue {
  constructor(directory: string, destination: Destination, options: QueueOptions = {}) {
    void [directory, destination, options]
  }

  /** Carry until the signal is aborted; resolves then. Rejects only when called twice at once. */
  run(options: RunOptions): Promise<void> {
    return Promise.reject(new Error(`not yet: ${String(options.signal.aborted)}`))
  }

  /** Look at the directory soon; cheap, call it for every reason there is. */
  wake(): void {}

  /** Try each bundle once, now, and tell how it went. */
  sweep(options: SweepOptions = {}): Promise<SweepResult> {
    return Promise.reject(new Error(`not yet: ${String(options.files?.length)}`))
  }

  stats(): QueueStats {
    return { files: 0, bytes: 0, active: 0, failing: 0, paused: false }
  }
}
