import { readdirSync } from 'node:fs'
import { findProgram } from '@core-dump-handler/testing/find-program'
import { coreSysctls, whyNoKernel, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { runAgent, startAgent } from './agent.ts'
import { DemoError, say, until } from './say.ts'
import { objectIn, type Scratch } from './scratch.ts'
import { crash } from './crash.ts'

/** Why no crash can be sent through the kernel here; undefined when one can. */
export function whyNoRealCrash(): string | undefined {
  const reason = whyNoKernel()
  if (reason !== undefined) return reason
  return findProgram('flock')
    ? undefined
    : '`flock` of util-linux, which locks the pattern, is missing'
}

/** The whole path through the kernel: crash, composer, agent, object. Returns the object's path. */
export async function followRealCrash(scratch: Scratch, signal: AbortSignal): Promise<string> {
  const slow = setTimeout(() => say('waiting for a test that has locked the core pattern'), 1000)
  return withKernel(async (before) => {
    clearTimeout(slow)
    signal.throwIfAborted()
    const agent = startAgent(scratch)
    try {
      const pattern = await until(
        'the agent to set the core pattern',
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
  const { program, pid, signal: by } = await crash(scratch.root)
  const crashed = performance.now()
  say(`${program} (pid ${pid}) ended by ${by ?? 'itself'}, its core read by the composer`)
  const object = await until('the object', () => objectIn(scratch), signal)
  const delay = Math.round(performance.now() - crashed)
  await until('the bundle to leave the node', () => empty(scratch.coreDir), signal)
  say(
    `the agent uploaded the bundle to the destination, verified it and deleted it here: ${delay} ms later`,
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
