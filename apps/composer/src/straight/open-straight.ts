import { join } from 'node:path'
import type { PartFile } from '@core-dump-handler/ingest'
import type { Task } from '../task.ts'
import { AgentLink } from './agent-link.ts'
import { STRAIGHT_SOCKET, type StraightHello } from './frames.ts'
import { StraightSink } from './straight-sink.ts'

/** The way to the agent, asked for behind the caller's back; whatever comes of it, no byte is lost. */
export function openStraight(
  part: PartFile,
  home: string,
  hello: StraightHello,
  { settings, source }: Task,
): StraightSink {
  return new StraightSink(part, new AgentLink(join(home, STRAIGHT_SOCKET)), {
    hello,
    holdMs: settings.straightHoldMs,
    isHeld: () => !source.released,
  })
}
