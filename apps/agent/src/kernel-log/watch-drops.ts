import { RECEIVER_SOCKET } from '../node/sysctls.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../log/open-log.ts'
import { type DropLine, type DropReason, KernelLog, readKernelLine } from './kernel-log.ts'

const LOOK_MS = 5000

/**
 * Reports crashes whose core the kernel itself dropped: they leave no bundle, only a line in its
 * log, and of many at once not each one. Ends when aborted, or at once where the log may not be read.
 */
export async function watchDrops(
  hostDir: string,
  log: Log,
  signal: AbortSignal,
  onDrop: (reason: DropReason, crashes: number) => void,
  onReadable: (isReadable: boolean) => void = () => undefined,
): Promise<void> {
  const kernelLog = new KernelLog()
  onReadable(kernelLog.unreadable === undefined)
  if (kernelLog.unreadable !== undefined) {
    log.info(
      { why: kernelLog.unreadable },
      'cores that the kernel drops cannot be counted: its log cannot be read here',
    )
    return
  }
  while (!signal.aborted) {
    await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined)
    for (const text of kernelLog.read()) {
      const drop = ourDrop(text, hostDir)
      if (drop === undefined) continue
      const { reason, crashes } = drop
      log.error({ reason, crashes, kernel: text }, 'the kernel dropped a core')
      onDrop(reason, crashes)
    }
  }
  kernelLog.close()
}

/** How many such lines the kernel still has, by reason. @throws Error where its log may not be read */
export function countDrops(hostDir: string): Readonly<Record<DropReason, number>> {
  const log = new KernelLog({ fromStart: true })
  try {
    if (log.unreadable !== undefined) throw new Error(log.unreadable)
    const counts = { CORE_PIPE_LIMIT: 0, PIPE_FAILED: 0, SOCKET_FAILED: 0 }
    for (const text of log.read()) {
      const drop = ourDrop(text, hostDir)
      if (drop !== undefined) counts[drop.reason] += drop.crashes
    }
    return counts
  } finally {
    log.close()
  }
}

/** A handler that fails may be another's; the limit is the kernel's own, and so is a mere number. */
function ourDrop(text: string, hostDir: string): DropLine | undefined {
  const line = readKernelLine(text)
  if (line?.kind !== 'drop') return undefined
  const isOurs =
    line.reason === 'CORE_PIPE_LIMIT' ||
    text.endsWith(' callbacks suppressed') ||
    [`|${hostDir}/cdc `, ` ${hostDir}/${RECEIVER_SOCKET} `].some((ours) => text.includes(ours))
  return isOurs ? line : undefined
}
