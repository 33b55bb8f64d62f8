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
  await withKernel(async () => {
    const deadline = setTimeout(() => receiver.kill(), deadlineMs)
    try {
      setCoreSysctl('kernel.core_pattern', receiver.pattern)
      await task(receiver)
    } finally {
      clearTimeout(deadline)
    }
  })
  return receiver
}
