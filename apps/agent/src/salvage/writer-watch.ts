import type { BigIntStats } from 'node:fs'
import { type ProcessId, runningComposers, seesAllProcesses } from './running-composers.ts'

export interface WriterWatchOptions {
  /** Where the node's `/proc` is. */
  readonly procRoot: string
  /** Longest life of a composer: its time limit and what it is given to end. */
  readonly maxLifeMs: number
  /** A file written to within this time is left alone in any case. */
  readonly quietMs: number
  /** The receiver of this node while it answers: it outlives every bundle, and reports which it writes. */
  readonly receiver?: () => { readonly pid: number; readonly parts: readonly string[] } | undefined
}

interface Sight {
  /** What changes with each write. */
  readonly state: string
  readonly sinceMs: number
  /** The composers that ran when it was seen so: its writer is among them, if it runs. */
  readonly suspects: readonly ProcessId[]
}

/**
 * Finds unfinished files whose writer is dead. Their writer has started before the file was seen:
 * once every composer that ran then has ended, no process can write it any more. This trusts no
 * clock of the machine and asks nothing of the composer. Where processes cannot be seen, the file
 * must have stayed unchanged for longer than a composer may run.
 */
export class WriterWatch {
  readonly #options: WriterWatchOptions
  #sights = new Map<string, Sight>()

  constructor(options: WriterWatchOptions) {
    this.#options = options
  }

  /** Which of these files have no writer; call it with all that are there. */
  async abandoned(files: ReadonlyMap<string, BigIntStats>): Promise<readonly string[]> {
    const { procRoot, maxLifeMs, quietMs } = this.#options
    const seesAll = await seesAllProcesses(procRoot)
    // after the files were listed: the writer of each is among these
    const all = files.size > 0 ? await runningComposers(procRoot) : new Set<ProcessId>()
    const receiver = this.#options.receiver?.()
    const running = new Set(
      [...all].filter((id) => receiver === undefined || !id.startsWith(`${receiver.pid}:`)),
    )
    const now = performance.now()
    const sights = new Map<string, Sight>()
    const abandoned: string[] = []
    for (const [name, stats] of files) {
      const state = stateOf(stats)
      const before = this.#sights.get(name)
      const sight =
        before?.state === state ? before : { state, sinceMs: now, suspects: [...running] }
      sights.set(name, sight)
      const unchangedMs = now - sight.sinceMs
      const isDead = seesAll
        ? !sight.suspects.some((suspect) => running.has(suspect))
        : unchangedMs > maxLifeMs
      const isQuiet = unchangedMs >= quietMs || Date.now() - Number(stats.mtimeMs) >= quietMs
      if (receiver?.parts.includes(name) === true) continue
      if (isDead && isQuiet) abandoned.push(name)
    }
    this.#sights = sights
    return abandoned
  }
}

function stateOf({ dev, ino, size, mtimeNs, ctimeNs, birthtimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs, birthtimeNs].join(' ')
}
