import { UploadError } from './error.ts'

/** The error of an aborted call; nothing is lost by it. */
export function aborted(signal: AbortSignal): UploadError {
  return new UploadError('ABORTED', 'The upload was stopped; the next one goes on from here', {
    cause: signal.reason,
  })
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal)
}

/**
 * Settle with `work`, or reject as soon as the signal aborts.
 * The SDK hears a signal while a request runs, not while it waits to repeat one.
 */
export async function abortable<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  // a result that nobody waits for any more
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
