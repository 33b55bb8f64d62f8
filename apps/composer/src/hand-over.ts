import { dirname, join } from 'node:path'
import type { LookupResult } from '@core-dump-handler/cri'
import type { Bundle } from './bundle/open.ts'
import type { Crash } from './crash/crash.ts'
import { formatEvent, writeEvent } from './event.ts'
import { messageOf } from './log/message-of.ts'
import type { Task } from './task.ts'

/** The bundle under its final name and on the disk; then the event. Returns its path. */
export async function handOver(
  bundle: Bundle,
  crash: Crash,
  found: LookupResult,
  task: Task,
): Promise<string> {
  const { settings, home, log, source } = task
  const { zip, part, uuid } = bundle
  const { bytes } = await zip.finish()
  await part.publish()
  const path = part.finalPath
  if (settings.coreEvents) {
    const directory = settings.eventDirectory || join(home ?? dirname(part.path), 'events')
    try {
      writeEvent(directory, uuid, formatEvent(crash, bundle, found))
    } catch (error) {
      log.write('error', `Cannot write the event to \`${directory}\`: ${messageOf(error)}`)
    }
  }
  const { status } = found.identity
  log.write('info', `Wrote ${path}: ${bytes} bytes, held ${source.heldMs} ms, ${status}`)
  return path
}
