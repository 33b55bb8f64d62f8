import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { KernelLog } from '@core-dump-handler/agent/internal/kernel-log/kernel-log'
import { gate, isAtGate } from './gate.ts'
import { coreSysctls, setCoreSysctl } from './kernel.ts'
import { processesOf } from './scratch.ts'
import { until } from './until.ts'
import { victim } from './victims.ts'

export interface StormOptions {
  /** Scratch space, and where the composer is installed. */
  readonly directory: string
  readonly hostDir: string
  readonly crashes: number
  /** Memory of each victim, that does not compress. */
  readonly mebibytes: number
}

export interface Storm {
  readonly pids: readonly number[]
  /** From the moment all were told to crash until the first, and the last, was released. */
  readonly firstReleasedMs: number
  readonly lastReleasedMs: number
  /** Until the last composer had ended. */
  readonly overMs: number
  /** Largest sum of the composers' proportional set sizes, and how many there were then. */
  readonly peakPssMiB: number
  readonly peakComposers: number
  /** Crashes that the kernel gave up, by its own log: `over core_pipe_limit`. */
  readonly dropped: number
}

const SAMPLE_EVERY_MS = 250
const KERNEL_LINES = 10
const KERNEL_SILENCE_MS = 5500

/** Lets programs of this machine crash all at one moment, and watches the composers that the kernel starts. */
export async function storm(options: StormOptions): Promise<Storm> {
  const { directory, hostDir, crashes, mebibytes } = options
  const door = gate(directory)
  const args = ['-l', '0', '-m', String(mebibytes), ...door.hostArgs]
  const victims = Array.from({ length: crashes }, () =>
    spawn(victim('crasher'), args, { stdio: 'ignore' }),
  )
  const pids = victims.map(({ pid }) => pid ?? 0)
  const log = new KernelLog()
  try {
    const waiting = new Set<number>()
    await until(
      'all victims have their memory',
      () => {
        for (const pid of pids) if (isAtGate(pid)) waiting.add(pid)
        return waiting.size === pids.length
      },
      60_000,
    )
    log.read()
    const opened = performance.now()
    const exits = victims.map(async (child) => {
      await once(child, 'exit')
      return performance.now() - opened
    })
    door.open()
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
    log.close()
    for (const child of victims) if (child.exitCode === null) child.kill('SIGKILL')
  }
}

/** The kernel says ten in 5 s, and with the next one after that the number of the others. */
async function countDropped(log: KernelLog): Promise<number> {
  const lines = log.read()
  const told = lines.filter((line) => line.includes('over core_pipe_limit')).length
  if (told < KERNEL_LINES) return told
  await sleep(KERNEL_SILENCE_MS)
  const { 'kernel.core_pipe_limit': limit } = coreSysctls()
  setCoreSysctl('kernel.core_pipe_limit', '1')
  const more = Array.from({ length: 8 }, () => spawn(victim('crasher'), ['-l', '0']))
  await Promise.all(more.map((child) => once(child, 'exit')))
  setCoreSysctl('kernel.core_pipe_limit', limit)
  const untold = log.read().map((line) => /coredump\w*: (\d+) callbacks suppressed/.exec(line)?.[1])
  return told + untold.reduce((sum, count) => sum + Number(count ?? 0), 0)
}

/** Until all victims are gone and then all composers. */
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
    // not at once and not waited for in one piece: deaths are to be noticed meanwhile
    for (const pid of pids) mebibytes += (await pssOf(pid)) / 1024
    if (mebibytes > peak.mebibytes) Object.assign(peak, { mebibytes, composers: pids.length })
    if (last && pids.length === 0) return peak
    await sleep(SAMPLE_EVERY_MS)
  }
}

/** In KiB; 0 when it is gone. */
async function pssOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1').catch(() => '')
  return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0)
}
