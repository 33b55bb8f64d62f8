import { Worker } from 'node:worker_threads'

const BEAT_MS = 500

/**
 * Ends this process when its main thread has not run for `timeoutMs`, such as on a disk that hangs:
 * every process that crashes would be held until then. `program` is this program's main file.
 */
export function startWatchdog(program: URL, timeoutMs: number): void {
  const beats = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(program, {
    argv: ['watchdog', String(timeoutMs)],
    workerData: beats,
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1 },
  })
  worker.unref()
  setInterval(() => Atomics.add(beats, 0, 1), BEAT_MS).unref()
}
