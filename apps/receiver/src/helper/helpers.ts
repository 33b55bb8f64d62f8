import type { ComposerSettings } from '@core-dump-handler/capture/settings'
import type {
  ContainerDetails,
  Identified,
  Lookup,
  LookupResult,
  LookupSubject,
} from '@core-dump-handler/cri'
import { Helper } from './helper.ts'
import type { PlainResult, ProcessFile, Request } from './messages.ts'

/** What the helper has beyond the limits that it keeps itself. */
const MARGIN_MS = 2000
const LOG_TIMEOUT_MS = 6000

/** What was read of a process that the kernel holds. */
export interface ProcessFiles {
  readonly files: ReadonlyMap<string, ProcessFile>
  readonly hostname: string
  readonly errors: readonly string[]
}

export interface HelperLookupOptions {
  readonly settings: ComposerSettings
  readonly home: string
  /** Times the limits of the settings. @default 1 */
  readonly factor?: number
  readonly signal: AbortSignal
}

/** The helper in use; one that hangs is replaced. */
export class Helpers {
  readonly #program: readonly string[] | undefined
  #helper: Helper | undefined
  #nextId = 1

  constructor(program?: readonly string[]) {
    this.#program = program
  }

  /** Starts a helper, so that no crash waits for that. */
  warmUp(): void {
    this.#use()
  }

  close(): void {
    this.#helper?.kill()
  }

  /** Files from the memory of a process, which it can block; undefined after `timeoutMs`. */
  async readProcess(
    request: Omit<Extract<Request, { type: 'process' }>, 'type' | 'id'>,
    timeoutMs: number,
  ): Promise<ProcessFiles | undefined> {
    const helper = this.#use()
    const id = this.#nextId++
    const reply = await helper.ask({ ...request, type: 'process', id }, timeoutMs)
    return reply?.type === 'process' ? reply : undefined
  }

  /** As `startLookup` of `cri`. */
  lookup(
    subject: LookupSubject,
    { settings, home, factor = 1, signal }: HelperLookupOptions,
  ): Lookup {
    const helper = this.#use()
    const id = this.#nextId++
    const identified = Promise.withResolvers<Identified>()
    const result = Promise.withResolvers<LookupResult>()
    const giveUp = (why: string): void => {
      const nothing = { identity: { status: 'unverified', reason: why } } as const
      identified.resolve(nothing)
      result.resolve({ ...nothing, containers: [], warnings: [] })
    }
    const late = setTimeout(
      () => {
        giveUp('the look-up did not answer in time')
        helper.retire()
      },
      settings.criTotalTimeoutMs * factor + MARGIN_MS,
    )
    const aborted = (): void => giveUp('the capture was stopped')
    signal.addEventListener('abort', aborted, { once: true })
    const ended = result.promise.finally(() => {
      clearTimeout(late)
      signal.removeEventListener('abort', aborted)
    })
    helper.send({ type: 'lookup', id, subject, settings, home, factor }, (reply) => {
      if (reply?.type === 'identified') identified.resolve(reply.identified)
      else if (reply?.type === 'result') {
        result.resolve(this.#withLogs(reply.result, helper, id))
      } else giveUp(reply?.type === 'failed' ? reply.message : 'the helper ended')
    })
    return {
      identified: identified.promise,
      result: ended,
      close: async () => {
        giveUp('the look-up was closed')
        helper.send({ type: 'close', lookup: id })
        helper.forget(id)
      },
    }
  }

  #withLogs(result: PlainResult, helper: Helper, lookup: number): LookupResult {
    const containers = result.containers.map((details, container): ContainerDetails => {
      const readLog: ContainerDetails['readLog'] = async () => {
        const id = this.#nextId++
        const reply = await helper.ask({ type: 'log', id, lookup, container }, LOG_TIMEOUT_MS)
        if (reply?.type === 'log') return reply
        throw new Error(reply?.type === 'failed' ? reply.message : 'the log does not answer')
      }
      return { ...details, readLog }
    })
    return { ...result, containers }
  }

  #use(): Helper {
    if (this.#helper === undefined || this.#helper.retired) {
      this.#helper = new Helper('lookups', this.#program)
    }
    return this.#helper
  }
}
