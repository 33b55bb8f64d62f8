import { existsSync, watch } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import type { Agent } from './agent.ts'
import type { WaitingCrasher } from '../kernel/waiting-crasher.ts'
import { until } from '../until.ts'

/** One crash and the milliseconds of each of its stages. */
export interface Arrival {
  /** Of the process that crashed. */
  readonly hostPid: number
  /** From the opened barrier to the end of the process. */
  readonly heldMs: number
  /** From then until the bundle had its final name. */
  readonly composedMs: number
  /** From then until the agent had opened it. */
  readonly wokenMs: number
  /** From then until the store had confirmed it and it was deleted here. */
  readonly uploadedMs: number
  readonly totalMs: number
}

const LOG_LINE = v.object({ time: v.string(), file: v.optional(v.string()), msg: v.string() })
type LogLine = v.InferOutput<typeof LOG_LINE>

/** Crash a program, and follow its bundle into the store; the agent logs at `debug`. */
export async function follow(agent: Agent, crasher: WaitingCrasher): Promise<Arrival> {
  const named = Promise.withResolvers<{ name: string; at: number }>()
  const watcher = watch(agent.coreDir, (_event, name) => {
    // the name appears, and disappears once it is stored: the first event counts
    if (name?.endsWith('.zip') === true && !name.startsWith('.')) {
      if (existsSync(join(agent.coreDir, name))) named.resolve({ name, at: Date.now() })
    }
  })
  try {
    const crashedAt = Date.now()
    const releasedAt = await crasher.crash()
    const { name, at: namedAt } = await named.promise
    const line = (text: string): Promise<LogLine> =>
      until(`the agent logs: ${text}`, () =>
        linesOf(agent).find(({ file, msg }) => file === name && msg.startsWith(text)),
      )
    const openedAt = Date.parse((await line('upload started')).time)
    const storedAt = Date.parse((await line('stored and verified')).time)
    return {
      hostPid: crasher.hostPid,
      heldMs: releasedAt - crashedAt,
      composedMs: namedAt - releasedAt,
      wokenMs: openedAt - namedAt,
      uploadedMs: storedAt - openedAt,
      totalMs: storedAt - crashedAt,
    }
  } finally {
    watcher.close()
  }
}

function linesOf({ output }: Agent): LogLine[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => v.parse(LOG_LINE, JSON.parse(line)))
}
