import { onTestFinished } from 'vitest'
import { setCoreSysctl, withKernel } from '../kernel/kernel.ts'
import { TestReceiver } from './receiver.ts'

/** A hung receiver holds every process of the machine that crashes: by default it never lives longer. */
const DEADLINE_MS = 20_000

/** A receiver of its own, with all capabilities or these alone, whose socket is the pattern while `task` runs. */
export async function received(
  env: Readonly<Record<string, string>>,
  task: (receiver: TestReceiver) => Promise<void>,
  deadlineMs: number = DEADLINE_MS,
  capabilities?: readonly string[],
): Promise<TestReceiver> {
  const receiver = new TestReceiver(env)
  if (capabilities !== undefined) receiver.limitTo(capabilities)
  onTestFinished(() => receiver.dispose())
  await receiver.start()
  await serve(receiver, task, deadlineMs)
  return receiver
}

/** The receiver of a group of tests, and what ends it. */
export interface SharedReceiver {
  readonly receiver: TestReceiver
  end(): Promise<void>
}

/** A receiver whose socket is the pattern until `end`, for tests that change its settings by `configure`. */
export async function shareReceiver(
  env: Readonly<Record<string, string>>,
  deadlineMs: number,
): Promise<SharedReceiver> {
  const receiver = new TestReceiver(env)
  await receiver.start()
  const started = Promise.withResolvers<void>()
  const over = Promise.withResolvers<void>()
  const task = async (): Promise<void> => {
    started.resolve()
    await over.promise
  }
  const served = serve(receiver, task, deadlineMs)
  await Promise.race([started.promise, served])
  return {
    receiver,
    async end() {
      over.resolve()
      await served
      await receiver.dispose()
    },
  }
}

async function serve(
  receiver: TestReceiver,
  task: (receiver: TestReceiver) => Promise<void>,
  deadlineMs: number,
): Promise<void> {
  await withKernel(async () => {
    const deadline = setTimeout(() => receiver.kill(), deadlineMs)
    try {
      setCoreSysctl('kernel.core_pattern', receiver.pattern)
      await task(receiver)
    } finally {
      clearTimeout(deadline)
    }
  })
}
