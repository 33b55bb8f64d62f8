import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'

/** The machine of a measurement. */
export interface Machine {
  readonly cpu: string
  readonly cpus: number
  readonly memoryMib: number
  readonly kernel: string
  readonly node: string
  /** Of the last minute, when it was asked. */
  readonly load: number
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cpus: availableParallelism(),
    memoryMib: Math.round(totalmem() / 2 ** 20),
    kernel: release(),
    node: process.version,
    load: Number((loadavg()[0] ?? 0).toFixed(2)),
  }
}

/** The same as one line. */
export function machineLine({ cpu, cpus: count, memoryMib, kernel, node, load }: Machine): string {
  const memory = (memoryMib / 1024).toFixed(0)
  return `${count} × ${cpu}, ${memory} GiB, Linux ${kernel}, Node ${node}, load ${load}`
}
