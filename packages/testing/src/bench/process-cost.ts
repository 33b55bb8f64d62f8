import { readFileSync } from 'node:fs'

const TICKS_PER_SECOND = 100

/** What one program cost. */
export interface Cost {
  readonly wallS: number
  readonly cpuS: number
  /** Peak, program text included; and peak of anonymous memory. */
  readonly rssMiB: number
  readonly anonMiB: number
}

/** CPU and memory of a process, sampled from /proc as long as it runs. */
export class ProcessCost {
  readonly #pid: number
  #seen: Omit<Cost, 'wallS'> = { cpuS: 0, rssMiB: 0, anonMiB: 0 }

  constructor(pid: number) {
    this.#pid = pid
  }

  get seen(): Omit<Cost, 'wallS'> {
    return this.#seen
  }

  sample(): void {
    try {
      const stat = readFileSync(`/proc/${this.#pid}/stat`, 'utf8')
      // after the name: state is field 3, utime 14, stime 15
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const status = readFileSync(`/proc/${this.#pid}/status`, 'utf8')
      const mebibytes = (name: string): number =>
        Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / 1024
      this.#seen = {
        cpuS: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
        rssMiB: Math.max(this.#seen.rssMiB, mebibytes('VmHWM')),
        anonMiB: Math.max(this.#seen.anonMiB, mebibytes('RssAnon')),
      }
    } catch {
      // it has just ended: the last sample counts
    }
  }
}
