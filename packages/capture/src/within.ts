/**
 * What `promise` becomes; undefined when `timeoutMs` have passed or `signal` is aborted first, also
 * when it is aborted already. Rejects as `promise` does.
 */
export async function within<T>(
  promise: Promise<T>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<T | undefined> {
  const over = Promise.withResolvers<undefined>()
  const end = (): void => over.resolve(undefined)
  const timer = setTimeout(end, timeoutMs)
  if (signal?.aborted) end()
  signal?.addEventListener('abort', end)
  try {
    return await Promise.race([promise, over.promise])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', end)
  }
}
