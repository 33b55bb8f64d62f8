/**
 * Runs calls that may never return, such as reading a file on a FUSE or NFS mount that does not
 * answer. Each such call keeps a thread of libuv's pool, which the drain of the core needs, so they
 * run one at a time, and none starts while one hangs.
 */
export interface BlockingCalls {
  /** Rejects when the call does not return within its limit; `NotTriedError` when an earlier one hangs. */
  run<T>(name: string, call: () => Promise<T>, limit: CallLimit): Promise<T>
}

export interface CallLimit {
  readonly limitMs: number
  /** Its reason is the rejection. */
  readonly signal?: AbortSignal
}

/** The call was not made, because an earlier one hangs. */
class NotTriedError extends Error {
  override readonly name = 'NotTriedError'
}

/** Unlike `instanceof`, holds for all copies of this module. */
export function isNotTried(error: unknown): boolean {
  return error instanceof Error && error.name === 'NotTriedError'
}

/** For one caller alone, in a process whose pool has threads for more than one call that hangs. */
export function createBlockingCalls(): BlockingCalls {
  let previous: Promise<unknown> = Promise.resolve()
  let hanging: string | undefined

  async function runOne<T>(
    name: string,
    call: () => Promise<T>,
    { limitMs, signal }: CallLimit,
  ): Promise<T> {
    if (hanging !== undefined) {
      throw new NotTriedError(`not tried, because \`${hanging}\` does not answer`)
    }
    signal?.throwIfAborted()
    hanging = name
    const running = call()
    const returned = (): void => void (hanging = undefined)
    running.then(returned, returned)
    return within(limitMs, signal ? before(signal, running) : running, () => {
      const reason = 'the file system or the memory behind it may not answer'
      return new Error(`not done within ${limitMs} ms: ${reason}`)
    })
  }

  return {
    run: (name, call, limit) => {
      const next = previous.then(() => runOne(name, call, limit))
      previous = next.catch(() => {})
      return next
    },
  }
}

declare global {
  // oxlint-disable-next-line no-var -- only `var` declares a property of globalThis
  var coreDumpHandlerBlockingCalls: BlockingCalls | undefined
}

/**
 * Those of this process, as the pool is the process's, too: one for all copies of this module. The
 * composer has a copy in each of its parts.
 */
export const blockingCalls: BlockingCalls = (globalThis.coreDumpHandlerBlockingCalls ??=
  createBlockingCalls())

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
