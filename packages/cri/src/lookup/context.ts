import { CriError, isCriError, type Warning, warningOf } from '../error.ts'
import type { JsonObject } from '../json.ts'
import type { OpenLogs } from '../log/open-container-log.ts'
import type { Inspection, Runtime } from '../runtime/runtime.ts'
import type { InitFiles } from './init-files.ts'
import type { Identity, LookupOptions } from './types.ts'

/** What all steps of one lookup share. */
export interface Context {
  readonly options: Required<Pick<LookupOptions, 'logLines' | 'includeProcessFiles' | 'procRoot'>>
  readonly deadline: Deadline
  readonly logs: OpenLogs
  readonly initFiles: InitFiles
  readonly warnings: Warning[]
}

/** The context of steps that ask the runtime. */
export interface RuntimeContext extends Context {
  readonly runtime: Runtime
}

/** What the first half of a lookup found, and the second half starts from. */
export interface Found {
  readonly identity: Identity
  readonly sandboxId?: string
  readonly podInfo?: JsonObject
  /** As `crictl inspectp`, where it was called already. */
  readonly sandbox?: Inspection
  /** The container that crashed. */
  readonly container?: { readonly id: string; readonly inspection: Inspection }
}

export function unverified(reason: string, known: Omit<Identity, 'status' | 'reason'> = {}): Found {
  return { identity: { status: 'unverified', reason, ...known } }
}

/** Add a warning, each message once. */
export function addWarning({ warnings }: Context, added: Warning): void {
  if (!warnings.some(({ message }) => message === added.message)) warnings.push(added)
}

/** Add the warning for `error`, and return it. */
export function addError(context: Context, error: unknown): Warning {
  const { signal } = context.deadline
  // a call that the limit of the lookup ended reports only that it was ended
  const ended = signal.aborted && isCriError(error) && error.code === 'CRI_ABORTED'
  const added = warningOf(ended ? signal.reason : error)
  addWarning(context, added)
  return added
}

/** A limit over many calls. */
export interface Deadline {
  /** Its reason is the `CriError` to report. */
  readonly signal: AbortSignal
  /** End the calls in progress now. */
  cancel(): void
  /** Stop the timer: no call is in progress any more. */
  stop(): void
}

export function startDeadline(limitMs: number, parent?: AbortSignal): Deadline {
  const controller = new AbortController()
  const timeoutMs = Math.min(limitMs, 0x7fff_ffff)
  const end = (code: 'CRI_TIMEOUT' | 'CRI_ABORTED', message: string): void =>
    controller.abort(new CriError(code, message))
  const timer = setTimeout(() => {
    end('CRI_TIMEOUT', `The lookup did not end within ${timeoutMs} ms`)
  }, timeoutMs)
  const cancel = (): void => end('CRI_ABORTED', 'The lookup was canceled')
  parent?.addEventListener('abort', cancel)
  if (parent?.aborted === true) cancel()
  return {
    signal: controller.signal,
    cancel,
    stop: () => {
      clearTimeout(timer)
      parent?.removeEventListener('abort', cancel)
    },
  }
}
