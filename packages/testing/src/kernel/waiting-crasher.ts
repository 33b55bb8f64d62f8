import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Containerd } from '../containerd/containerd.ts'
import { crashBarrier, isWaiting, type CrashBarrier } from './barrier.ts'
import { type Pod, runPod } from '../containerd/pod.ts'
import { until } from '../until.ts'
import { testProgram } from './test-program.ts'

/** A program whose memory is filled, and that crashes on demand. */
export interface WaitingCrasher {
  readonly hostPid: number
  /** Crash it; resolves with the wall-clock time of its end. */
  crash(): Promise<number>
  dispose(): Promise<void>
}

/** On this machine itself. */
export async function crasherOnHost(directory: string, mebibytes: number): Promise<WaitingCrasher> {
  const { barrier, remove } = barrierIn(directory)
  const args = ['-l', '0', '-m', String(mebibytes), ...barrier.hostArgs]
  const child = spawn(testProgram('crasher'), args, { stdio: 'ignore' })
  const hostPid = child.pid ?? 0
  const gone = once(child, 'exit').then(() => Date.now())
  await until('the program has filled its memory', () => isWaiting(hostPid))
  return {
    hostPid,
    async crash() {
      barrier.open()
      return gone
    },
    async dispose() {
      if (child.exitCode === null) child.kill('SIGKILL')
      remove()
    },
  }
}

/** In a pod of its own. */
export async function crasherInPod(
  directory: string,
  mebibytes: number,
  containerd: Containerd,
  name = 'bench',
): Promise<WaitingCrasher & { readonly pod: Pod }> {
  const { barrier, remove } = barrierIn(directory)
  const args = ['-l', '0', '-m', String(mebibytes), ...barrier.podArgs]
  const pod = await runPod(containerd, {
    name,
    containers: [{ args, mounts: barrier.mounts }],
  })
  const hostPid = await pod.hostPid()
  await until('the program has filled its memory', () => isWaiting(hostPid))
  return {
    pod,
    hostPid,
    async crash() {
      barrier.open()
      while (existsSync(`/proc/${hostPid}`)) await sleep(1)
      return Date.now()
    },
    async dispose() {
      await pod.remove()
      remove()
    },
  }
}

function barrierIn(directory: string): { barrier: CrashBarrier; remove: () => void } {
  const place = mkdtempSync(join(directory, 'crasher-'))
  return { barrier: crashBarrier(place), remove: () => rmSync(place, { recursive: true }) }
}
