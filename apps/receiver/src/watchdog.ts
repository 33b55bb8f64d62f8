import { readdirSync, readlinkSync, writeSync } from 'node:fs'
import { Worker, workerData } from 'node:worker_threads'
import { accept, peerCredentials, shutdown } from '@core-dump-handler/coredump-socket'

const BEAT_MS = 500
const LOOKS = 5
const STANDARD = 2

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

/** The thread of `startWatchdog`. */
export function runWatchdog(timeoutMs: number): void {
  const beats: unknown = workerData
  if (!(beats instanceof Int32Array)) throw new TypeError('The watchdog needs the beats')
  let last = -1
  let sinceMs = performance.now()
  let beforeMs = sinceMs
  setInterval(() => {
    const now = performance.now()
    // the whole process did not run, such as a machine that was suspended: not the main thread's fault
    if (now - beforeMs > timeoutMs) sinceMs = now
    beforeMs = now
    const beat = Atomics.load(beats, 0)
    if (beat !== last) {
      last = beat
      sinceMs = now
    } else if (now - sinceMs > timeoutMs) end(timeoutMs)
  }, timeoutMs / LOOKS)
}

function end(timeoutMs: number): void {
  const pids = releaseAll()
  const lost = pids.length === 0 ? '' : `; lost are the crashes of processes ${pids.join(', ')}`
  writeSync(2, `ERROR - the receiver did not run for ${timeoutMs} ms: it is ended${lost}\n`)
  process.kill(process.pid, 'SIGKILL')
}

/**
 * Frees every process that is held: SIGKILL does not end a thread that waits for a disk, and until it
 * ends the descriptors stay open. Those that waited in the queue are returned; the agent knows the others.
 */
function releaseAll(): number[] {
  const pids: number[] = []
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name)
    if (fd <= STANDARD || !isSocket(fd)) continue
    // of a listening socket: what waits in its queue; -1 for every other one
    for (let queued = accept(fd); queued >= 0; queued = accept(fd)) {
      pids.push(peerCredentials(queued)?.pid ?? 0)
      shutdown(queued)
    }
    shutdown(fd)
  }
  return pids
}

function isSocket(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
  } catch {
    return false
  }
}
