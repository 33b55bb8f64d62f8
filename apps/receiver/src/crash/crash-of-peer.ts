import { isUtf8 } from 'node:buffer'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { type Crash, createCrash } from '@core-dump-handler/capture'
import type { Peer } from '@core-dump-handler/coredump-socket'

/** getrlimit(2), as the kernel prints it for `%c`. */
const RLIM_INFINITY = '18446744073709551615'
/** The kernel caps a comm at 15 bytes; `comm` ends with a newline. */
const NEWLINE = 0x0a
/** Threads that are looked at for the one that crashed: a hostile process has as many as it likes. */
const MAX_THREADS = 1024

/**
 * What a pipe handler gets as arguments, core(5), from `/proc/<pid>` of the process that the kernel
 * holds. Only files that the kernel writes itself: none of them can be made to block.
 */
export function crashOfPeer(peer: Peer, procRoot: string, hostname: string): Crash {
  const seconds = Math.floor(Date.now() / 1000)
  const { pid: hostPid, uid, gid, dumpMode, pidfd } = peer
  // the kernel has connected at this time, for this process
  const known = { timestamp: String(seconds), kernelTimestamp: seconds }
  const ofKernel = { ...known, hostname, hostPid, uid, gid, dumpMode, pidfd }
  if (peer.hasEnded) return createCrash(ofKernel)
  const process = `${procRoot}/${hostPid}`
  const hostTid = crashedThread(process, hostPid)
  const comm = bytesOf(`${process}/task/${hostTid}/comm`)
  const status = textOf(`${process}/status`)
  const innerPid = /^NSpid:.*\t(\d+)$/m.exec(status)?.[1]
  return createCrash({
    ...ofKernel,
    limitSize: coreLimitOf(textOf(`${process}/limits`)),
    exeName: comm.toString(),
    commBytes: isUtf8(comm) ? undefined : comm,
    pid: innerPid ?? '',
    signal: signalOf(textOf(`${process}/stat`)),
    pathname: exeOf(process).replaceAll('/', '!'),
    hostTid,
    innerPid: innerPid === undefined ? undefined : Number(innerPid),
  })
}

/** The soft limit of a core in bytes as `%c` has it, of proc_pid_limits(5). */
export function coreLimitOf(limits: string): string {
  const limit = /^Max core file size +(\S+)/m.exec(limits)?.[1] ?? ''
  return limit === 'unlimited' ? RLIM_INFINITY : limit
}

/**
 * The last field of proc_pid_stat(5), `exit_code`: of a process that is dumping it is the signal,
 * in the lower seven bits.
 */
export function signalOf(stat: string): string {
  const code = /\) .* (\d+)\n?$/.exec(stat)?.[1]
  const signal = code === undefined ? 0 : Number(code) & 0x7f
  return signal === 0 ? '' : String(signal)
}

/** The thread that writes the core sleeps in the socket; the others wait, idle, for it. */
function crashedThread(process: string, pid: number): number {
  if (!isOther(`${process}/task/${pid}/stat`)) return pid
  try {
    for (const tid of readdirSync(`${process}/task`).slice(0, MAX_THREADS)) {
      if (!isOther(`${process}/task/${tid}/stat`)) return Number(tid)
    }
  } catch {
    // it was killed meanwhile
  }
  return pid
}

/** Idle, dead or a zombie: see `State` of proc_pid_stat(5). */
function isOther(path: string): boolean {
  const stat = textOf(path)
  return /^[IXZ]$/.test(stat.slice(stat.lastIndexOf(')') + 2).split(' ', 1)[0] ?? '')
}

function exeOf(process: string): string {
  try {
    return readlinkSync(`${process}/exe`)
  } catch {
    return ''
  }
}

function bytesOf(path: string): Buffer {
  try {
    const bytes = readFileSync(path)
    return bytes.at(-1) === NEWLINE ? bytes.subarray(0, -1) : bytes
  } catch {
    return Buffer.alloc(0)
  }
}

function textOf(path: string): string {
  return bytesOf(path).toString('latin1')
}
