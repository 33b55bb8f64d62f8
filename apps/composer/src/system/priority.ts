import { writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'

// CPU and, with it, the priority of reads and writes: ioprio_set(2) derives it from this
const NICE = 10
/** Before what a node is made of and pods with guarantees, after ordinary pods: oom_score_adj, proc(5). */
const OOM_SCORE_ADJ = 200

/** When memory runs out, the node's own work is worth more than a dump. */
export function offerToOomKiller(): void {
  ignoringErrors(() => writeFileSync('/proc/self/oom_score_adj', String(OOM_SCORE_ADJ)))
}

/** Once no process is held, the other work of the node comes first. */
export function lowerPriority(): void {
  ignoringErrors(() => setPriority(NICE))
}

function ignoringErrors(step: () => void): void {
  try {
    step()
  } catch {
    // forbidden, or no /proc: a priority is never a reason to fail
  }
}
