import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { processesOf } from '../processes.ts'
import { until } from '../until.ts'
import { crashBarrier, isWaiting } from './barrier.ts'
import { coreSysctls, setCoreSysctl } from './kernel.ts'
import { testProgram } from './test-program.ts'

export interface StormOptions {
  /** Scratch space, and where the composer is installed. */
  readonly directory: string
  readonly hostDir: string
  readonly crashes: number
  /** Memory of each program, which does not compress. */
  readonly mebibytes: number
}

export interface Storm {
  readonly pids: readonly number[]
  /** From the opening of the barrier until the first, and the last, process was released. */
  readonly firstReleasedMs: number
  readonly lastReleasedMs: number
  /** Until the last composer had ended. */
  readonly overMs: number
  /** Largest sum of the composers' proportional set sizes, and how many there were then. */
  readonly peakPssMiB: number
  readonly peakComposers: number
  /** Crashes without a composer, by the kernel's log: `over core_pipe_limit`. */
  readonly dropped: number
}

const SAMPLE_EVERY_MS = 250
const KERNEL_LINES = 10
const KERNEL_SILENCE_MS = 5500
const KMSG_RECORD_BYTES = 8192

/** Crash programs of this machine at one moment, and watch the composers that the kernel starts. */
export async function storm(options: StormOptions): Promise<Storm> {
  const { directory, hostDir, crashes, mebibytes } = options
  const barrier = crashBarrier(directory)
  const args = ['-l', '0', '-m', String(mebibytes), ...barrier.hostArgs]
  // held and killed by pid: their descriptors and cgroup are those of the test
  const programs = Array.from({ length: crashes }, () =>
    spawn(testProgram('crasher'), args, { stdio: 'ignore' }),
  )
  const pids = programs.map(({ pid }) => pid ?? 0)
  const log = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const waiting = new Set<number>()
    await until(
      'all programs have filled their memory',
      () => {
        for (const pid of pids) if (isWaiting(pid)) waiting.add(pid)
        return waiting.size === pids.length
      },
      60_000,
    )
    readKernelLog(log)
    const opened = performance.now()
    const exits = programs.map(async (child) => {
      await once(child, 'exit')
      return performance.now() - opened
    })
    barrier.open()
    const [held, peak] = await Promise.all([Promise.all(exits), watch(hostDir, exits)])
    return {
      pids,
      firstReleasedMs: Math.min(...held),
      lastReleasedMs: Math.max(...held),
      overMs: performance.now() - opened,
      peakPssMiB: peak.mebibytes,
      peakComposers: peak.composers,
      dropped: await countDropped(log),
    }
  } finally {
    closeSync(log)
    for (const child of programs) if (child.exitCode === null) child.kill('SIGKILL')
  }
}

/** The kernel logs ten lines in 5 s, and with the next one after that the number of suppressed lines. */
async function countDropped(log: number): Promise<number> {
  const logged = readKernelLog(log).filter((line) => line.includes('over core_pipe_limit')).length
  if (logged < KERNEL_LINES) return logged
  await sleep(KERNEL_SILENCE_MS)
  const { 'kernel.core_pipe_limit': limit } = coreSysctls()
  setCoreSysctl('kernel.core_pipe_limit', '1')
  const more = Array.from({ length: 8 }, () => spawn(testProgram('crasher'), ['-l', '0']))
  await Promise.all(more.map((child) => once(child, 'exit')))
  setCoreSysctl('kernel.core_pipe_limit', limit)
  const suppressed = readKernelLog(log).map(
    (line) => /coredump\w*: (\d+) callbacks suppressed/.exec(line)?.[1],
  )
  return logged + suppressed.reduce((sum, count) => sum + Number(count ?? 0), 0)
}

/** Lines of the kernel's log since the last read, kmsg(4): each read returns one record, EAGAIN is the end. */
function readKernelLog(fd: number): string[] {
  const lines: string[] = []
  const record = Buffer.alloc(KMSG_RECORD_BYTES)
  for (;;) {
    try {
      lines.push(record.toString('latin1', 0, readSync(fd, record)))
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      // EPIPE: records were overwritten before this read; the next ones are there
      if (code === 'EPIPE') continue
      if (code === 'EAGAIN') return lines
      throw error
    }
  }
}

/** Until all programs and then all composers have ended. */
async function watch(
  hostDir: string,
  exits: readonly Promise<unknown>[],
): Promise<{ mebibytes: number; composers: number }> {
  const peak = { mebibytes: 0, composers: 0 }
  let over = false
  void Promise.all(exits).then(() => (over = true))
  for (;;) {
    const last = over
    const pids = processesOf(hostDir)
    let mebibytes = 0
    // one after another: the exits are noticed between two reads
    for (const pid of pids) mebibytes += (await pssOf(pid)) / 1024
    if (mebibytes > peak.mebibytes) Object.assign(peak, { mebibytes, composers: pids.length })
    if (last && pids.length === 0) return peak
    await sleep(SAMPLE_EVERY_MS)
  }
}

/** In KiB; 0 when the process has ended. */
async function pssOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1').catch(() => '')
  return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0)
}
