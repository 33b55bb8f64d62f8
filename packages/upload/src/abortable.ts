import { UploadError } from './error.ts'

/** The error of an aborted call; what was sent is kept. */
function aborted(signal: AbortSignal): UploadError {
  return new UploadError('ABORTED', 'The upload was aborted; the next one resumes it', {
    cause: signal.reason,
  })
}

/** Throw `ABORTED` when the signal is aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal)
}

/**
 * Settle with `work`, or reject with `ABORTED` as soon as the signal aborts or when it is aborted already.
 * The SDK observes a signal while a request runs, not while it waits to repeat one.
 */
export async function abortable<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  // gets a result that comes after the abort
  discard: (late: T) => void = () => {},
): Promise<T> {
  if (!signal) return work
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => {
    work.then(discard, () => {})
    reject(aborted(signal))
  }
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** A signal that aborts `graceMs` after another one: for a request that leaves something behind unless its answer is noted. */
export function graceOf(
  signal: AbortSignal | undefined,
  graceMs: number,
): { readonly signal: AbortSignal } & Disposable {
  const late = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const onAbort = (): void => {
    timer = setTimeout(() => late.abort(signal?.reason), graceMs)
  }
  signal?.addEventListener('abort', onAbort, { once: true })
  return {
    signal: late.signal,
    [Symbol.dispose]() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    },
  }
}
