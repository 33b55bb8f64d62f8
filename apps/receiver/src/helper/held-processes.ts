import {
  analyzeCrash,
  bothMemories,
  HeldProcess,
  stackReader,
  type CrashReport,
} from '@core-dump-handler/capture/report'
import { factsOf, type MemoryReader, WindowMemory } from '@core-dump-handler/report'
import type { Reply, ReportRequest } from './messages.ts'

type Ask<T extends ReportRequest['type']> = Extract<ReportRequest, { type: T }>

interface Held {
  readonly process: HeldProcess
  memory: MemoryReader
}

/** The crashed processes whose files and memory the helper has open, and their reports. */
export class HeldProcesses {
  readonly #held = new Map<number, Held>()

  /** Rejects where the report cannot be made. */
  async answer(request: ReportRequest): Promise<Reply | undefined> {
    switch (request.type) {
      case 'hold':
        return this.#hold(request)
      case 'stacks':
        return this.#readStacks(request)
      case 'report': {
        const { id } = request
        return { type: 'report', id, report: await this.#report(request) }
      }
      default:
        this.#held.get(request.hold)?.process.close()
        this.#held.delete(request.hold)
        return undefined
    }
  }

  async #hold({ id, directory }: Ask<'hold'>): Promise<Reply> {
    const process = new HeldProcess(directory)
    this.#held.set(id, { process, memory: new WindowMemory() })
    await process.opened
    return { type: 'held', id }
  }

  async #readStacks({ id, hold, facts, readMs }: Ask<'stacks'>): Promise<Reply> {
    const held = this.#held.get(hold)
    const copy = held && (await stackReader(held.process).readStacks(factsOf(facts), readMs))
    if (held === undefined || copy === undefined) return { type: 'stacks', id, copied: 'none' }
    if (copy === 'late') return { type: 'stacks', id, copied: 'late' }
    held.memory = copy.memory
    return { type: 'stacks', id, copied: copy.isComplete ? 'all' : 'some' }
  }

  async #report({ hold, facts, windows, options }: Ask<'report'>): Promise<CrashReport> {
    const held = hold === undefined ? undefined : this.#held.get(hold)
    const ofCore = new WindowMemory()
    for (const { start, bytes } of windows) ofCore.add(start, bytes)
    const memory = held === undefined ? ofCore : bothMemories(held.memory, ofCore)
    return analyzeCrash({ facts: factsOf(facts), memory }, held?.process, options)
  }
}
