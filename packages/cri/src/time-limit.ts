import { CriError } from './error.ts'

export interface Deadline {
  readonly signal: AbortSignal
  /** End at once what is still under way. */
  cancel(): void
  /** Nothing is under way any more: stop the clock. */
  settle(): void
}

/** A limit over many calls; the reason of its `signal` is the `CriError` to report. */
export function startDeadline(limitMs: number, parent?: AbortSignal): Deadline {
  const controller = new AbortController()
  const timeoutMs = Math.min(limitMs, 0x7fff_ffff)
  const end = (code: 'CRI_TIMEOUT' | 'CRI_ABORTED', message: string): void =>
    controller.abort(new CriError(code, message))
  const timer = setTimeout(() => {
    end('CRI_TIMEOUT', `The look-up was not done within ${timeoutMs} ms`)
  }, timeoutMs)
  const cancel = (): void => end('CRI_ABORTED', 'The look-up was canceled')
  parent?.addEventListener('abort', cancel)
  if (parent?.aborted === true) cancel()
  return {
    signal: controller.signal,
    cancel,
    settle: () => {
      clearTimeout(timer)
      parent?.removeEventListener('abort', cancel)
    },
  }
}

/** What `promise` becomes, or the signal's reason when that comes first. */
export async function before<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
    // whoever comes second is not waited for
    promise.catch(() => {})
  }
}
