/** What `promise` becomes, or a rejection with `onTimeout()` after `ms`; the promise itself goes on. */
export async function within<T>(
  ms: number,
  promise: Promise<T>,
  onTimeout: () => Error,
): Promise<T> {
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(onTimeout()), ms)
  try {
    return await before(limit.signal, promise)
  } finally {
    clearTimeout(timer)
  }
}

/** What `promise` becomes, or a rejection with the signal's reason where that comes first. */
export async function before<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
    // a rejection that comes after the signal is no one's
    promise.catch(() => {})
  }
}
