import {
  analyzeCrash,
  bothMemories,
  copyBinaries,
  findFingerprint,
  HeldProcess,
  stackReader,
  type CrashReport,
  type LogLine,
} from '@core-dump-handler/capture/report'
import { type CoreFacts, factsOf, type MemoryReader, WindowMemory } from '@core-dump-handler/report'
import type { Reply, ReportRequest } from './messages.ts'

type Ask<T extends ReportRequest['type']> = Extract<ReportRequest, { type: T }>

/** A call that takes longer than this will not return. */
const HANG_MS = 1000
/** For the files of a process whose fingerprint is wanted before its core. */
const OPEN_WAIT_MS = 500

interface Held {
  readonly process: HeldProcess
  memory: MemoryReader
}

/** The crashed processes whose files and memory the helper has open, and their reports. */
export class HeldProcesses {
  readonly #held = new Map<number, Held>()
  readonly #onHang: () => void

  /** `onHang`: a call on a file or on the memory of a process does not return, and keeps a thread. */
  constructor(onHang: () => void) {
    this.#onHang = onHang
  }

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
      case 'fingerprint': {
        const { id } = request
        const { core, process } = this.#captured(request)
        const all = process === undefined || (await process.openedWithin(OPEN_WAIT_MS))
        const fingerprint = all ? await findFingerprint(core, process) : undefined
        return { type: 'fingerprint', id, fingerprint }
      }
      case 'binaries': {
        const { id, hold, of } = request
        const lines: LogLine[] = []
        await copyBinaries(this.#held.get(hold)?.process, of, {
          ...of,
          stop: { signal: new AbortController().signal, cause: undefined },
          log: { write: (...line) => lines.push(line) },
        })
        return { type: 'binaries', id, lines }
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
    this.#watch(process)
    return { type: 'held', id }
  }

  async #readStacks({ id, hold, facts, readMs }: Ask<'stacks'>): Promise<Reply> {
    const held = this.#held.get(hold)
    const copy = held && (await stackReader(held.process).readStacks(factsOf(facts), readMs))
    if (held === undefined || copy === undefined) return { type: 'stacks', id, copied: 'none' }
    if (copy === 'late') {
      this.#watch(held.process)
      return { type: 'stacks', id, copied: 'late' }
    }
    held.memory = copy.memory
    return { type: 'stacks', id, copied: copy.isComplete ? 'all' : 'some' }
  }

  #watch(process: HeldProcess): void {
    if (!process.isWaiting) return
    setTimeout(() => {
      if (process.isWaiting) this.#onHang()
    }, HANG_MS)
  }

  #report(request: Ask<'report'>): Promise<CrashReport> {
    const { core, process } = this.#captured(request)
    return analyzeCrash(core, process, request.options)
  }

  /** What the core had, with what was read of the process. */
  #captured({ hold, facts, windows }: Ask<'report' | 'fingerprint'>): {
    readonly core: { readonly facts: CoreFacts; readonly memory: MemoryReader }
    readonly process: HeldProcess | undefined
  } {
    const held = hold === undefined ? undefined : this.#held.get(hold)
    const ofCore = new WindowMemory()
    for (const { start, bytes } of windows) ofCore.add(start, bytes)
    const memory = held === undefined ? ofCore : bothMemories(held.memory, ofCore)
    return { core: { facts: factsOf(facts), memory }, process: held?.process }
  }
}
