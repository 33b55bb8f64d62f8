import { within } from './time-limit.ts'

/**
 * Runs calls that may never return, such as reading a file on a FUSE or NFS mount that does not
 * answer. Each such call keeps a thread of libuv's pool, which the drain of the core needs, so they
 * run one at a time, and none starts while one hangs.
 */
export interface BlockingCalls {
  /** Rejects when the call takes longer than `limitMs`, or when an earlier one still hangs. */
  run<T>(name: string, limitMs: number, call: () => Promise<T>): Promise<T>
}

export function createBlockingCalls(): BlockingCalls {
  let previous: Promise<unknown> = Promise.resolve()
  let hanging: string | undefined

  async function runOne<T>(name: string, limitMs: number, call: () => Promise<T>): Promise<T> {
    if (hanging !== undefined) throw new Error(`not tried, because reading \`${hanging}\` hangs`)
    const running = call()
    return within(limitMs, running, () => {
      hanging = name
      const returned = (): void => void (hanging = undefined)
      running.then(returned, returned)
      const reason = 'the file system or the memory behind it may not answer'
      return new Error(`not done within ${limitMs} ms: ${reason}`)
    })
  }

  return {
    run: (name, limitMs, call) => {
      const next = previous.then(() => runOne(name, limitMs, call))
      previous = next.catch(() => {})
      return next
    },
  }
}
