import { Worker } from 'node:worker_threads'

/** Ends the process when it is stuck in a loop that no timer interrupts, and prints the round. */
export interface Watchdog {
  /** Report progress; `round` is printed if this was the last call. */
  pat(round: string): void
  stop(): Promise<void>
}

const LOOK_MS = 500
const MAX_TEXT = 1024

const WATCH = `
const { workerData } = require('node:worker_threads')
const { writeSync } = require('node:fs')
const beats = new Int32Array(workerData.beats)
let last = -1
let since = Date.now()
setInterval(() => {
  const beat = Atomics.load(beats, 0)
  if (beat !== last) { last = beat; since = Date.now(); return }
  if (Date.now() - since < workerData.limitMs) return
  const text = Buffer.from(workerData.text).toString().replace(/\\0+$/, '')
  writeSync(2, 'stuck for ' + workerData.limitMs + ' ms; repeat it with: ' + text + '\\n')
  process.kill(process.pid, 'SIGKILL')
}, ${LOOK_MS})
`

export function startWatchdog(limitMs: number): Watchdog {
  const beats = new SharedArrayBuffer(4)
  const text = new SharedArrayBuffer(MAX_TEXT)
  const worker = new Worker(WATCH, { eval: true, workerData: { beats, text, limitMs } })
  worker.unref()
  const counter = new Int32Array(beats)
  const shown = new Uint8Array(text)
  return {
    pat(round) {
      shown.fill(0)
      shown.set(Buffer.from(round).subarray(0, MAX_TEXT))
      Atomics.add(counter, 0, 1)
    },
    async stop() {
      await worker.terminate()
    },
  }
}
