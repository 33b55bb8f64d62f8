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

/**
 * Milliseconds on a clock that never jumps and that all processes of a node share, clock_gettime(2).
 * Unlike `performance`, it loads no module while a process is held.
 */
export function monotonicMs(): number {
  return Math.round(Number(process.hrtime.bigint()) / 1e6)
}

/** Why a capture has to end before it is done. */
export interface StopCause {
  readonly code: 'TIMEOUT' | 'INTERRUPTED' | 'FAULT'
  readonly message: string
}

/** Ends a capture early: the bundle is completed with what there is. */
export interface StopSignal {
  readonly signal: AbortSignal
  /** Set once `signal` is aborted. */
  readonly cause: StopCause | undefined
}
