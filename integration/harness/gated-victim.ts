import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Containerd } from './containerd.ts'
import { gate, isAtGate, type Gate } from './gate.ts'
import { runPod } from './pod.ts'
import { until } from './until.ts'
import { victim } from './victims.ts'

/** A program whose memory is filled, and that crashes when it is told to. */
export interface GatedVictim {
  readonly hostPid: number
  /** Tell it; resolves with the time, by the wall clock, at which it was gone. */
  crash(): Promise<number>
  dispose(): Promise<void>
}

/** On this machine itself. */
export async function victimOnHost(directory: string, mebibytes: number): Promise<GatedVictim> {
  const { door, remove } = gateIn(directory)
  const args = ['-l', '0', '-m', String(mebibytes), ...door.hostArgs]
  const child = spawn(victim('crasher'), args, { stdio: 'ignore' })
  const hostPid = child.pid ?? 0
  const gone = once(child, 'exit').then(() => Date.now())
  await until('the victim has its memory', () => isAtGate(hostPid))
  return {
    hostPid,
    async crash() {
      door.open()
      return gone
    },
    async dispose() {
      if (child.exitCode === null) child.kill('SIGKILL')
      remove()
    },
  }
}

/** In a pod of its own. */
export async function victimInPod(
  directory: string,
  mebibytes: number,
  containerd: Containerd,
): Promise<GatedVictim> {
  const { door, remove } = gateIn(directory)
  const args = ['-l', '0', '-m', String(mebibytes), ...door.podArgs]
  const pod = await runPod(containerd, {
    name: 'bench',
    containers: [{ args, mounts: door.mounts }],
  })
  const hostPid = await pod.hostPid()
  await until('the victim has its memory', () => isAtGate(hostPid))
  return {
    hostPid,
    async crash() {
      door.open()
      while (existsSync(`/proc/${hostPid}`)) await sleep(1)
      return Date.now()
    },
    async dispose() {
      await pod.remove()
      remove()
    },
  }
}

function gateIn(directory: string): { door: Gate; remove: () => void } {
  const place = mkdtempSync(join(directory, 'victim-'))
  return { door: gate(place), remove: () => rmSync(place, { recursive: true }) }
}
