import { readdirSync } from 'node:fs'
import { coreSysctls, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { runAgent, startAgent } from './agent.ts'
import { objectIn } from './bucket.ts'
import { DemoError, say } from './say.ts'
import type { Scratch } from './scratch.ts'
import { until } from './until.ts'
import { crash } from './victim.ts'

/** The whole chain through the kernel: crash, composer, agent, object. Returns the object's path. */
export async function carryRealCrash(scratch: Scratch, signal: AbortSignal): Promise<string> {
  const slow = setTimeout(() => say('waiting for a test that has the core pattern'), 1000)
  return withKernel(async (before) => {
    clearTimeout(slow)
    signal.throwIfAborted()
    const agent = startAgent(scratch)
    try {
      const pattern = await until(
        'the agent to take over the core pattern',
        () => {
          agent.check()
          const now = coreSysctls()['kernel.core_pattern']
          return now.startsWith(`|${scratch.hostDir}/`) ? now : undefined
        },
        signal,
      )
      say(`the agent took over kernel.core_pattern: ${pattern}`)
      return await follow(scratch, signal)
    } finally {
      await agent.stop()
      await runAgent(['remove'], scratch)
      compare(before)
    }
  })
}

async function follow(scratch: Scratch, signal: AbortSignal): Promise<string> {
  const victim = await crash(scratch.root)
  const crashed = performance.now()
  say(
    `${victim.program} (pid ${victim.pid}) ended by ${victim.signal}, its core read by the composer`,
  )
  const object = await until('the object', () => objectIn(scratch), signal)
  const delay = Math.round(performance.now() - crashed)
  await until('the bundle to leave the node', () => empty(scratch.coreDir), signal)
  say(
    `the agent carried the bundle to the destination, verified it and cleaned the node: ${delay} ms later`,
  )
  return object
}

function empty(dir: string): true | undefined {
  return readdirSync(dir).length === 0 ? true : undefined
}

function compare(before: Readonly<Record<string, string>>): void {
  const now: Readonly<Record<string, string>> = coreSysctls()
  const changed = Object.keys(before).filter((key) => before[key] !== now[key])
  if (changed.length > 0) throw new DemoError(`Not as before: ${changed.join(', ')}`)
  say(`everything is as before: kernel.core_pattern is ${now['kernel.core_pattern']}`)
}
