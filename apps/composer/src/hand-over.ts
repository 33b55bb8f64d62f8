import { dirname, join } from 'node:path'
import type { LookupResult } from '@core-dump-handler/cri'
import type { Bundle } from './bundle/open.ts'
import type { Crash } from './crash/crash.ts'
import { formatEvent, writeEvent } from './event.ts'
import { messageOf } from './log/message-of.ts'
import type { Task } from './task.ts'

const GIB = 1024 ** 3
const STORE_MS = 15_000
/** Some stores copy the parts together before they answer. */
const STORE_PER_GIB_MS = 20_000

/** The bundle in the store, or under its final name and on the disk; then the event. Returns where it is. */
export async function handOver(
  bundle: Bundle,
  crash: Crash,
  found: LookupResult,
  manifest: string,
  task: Task,
): Promise<string> {
  const { settings, home, log, source } = task
  const { zip, part, uuid } = bundle
  const { bytes } = await zip.finish()
  const path = await deliver(bundle, manifest, task)
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

async function deliver(
  { part, straight }: Bundle,
  manifest: string,
  { stop, log }: Task,
): Promise<string> {
  if (straight !== undefined) {
    // nobody is held any more: as patient as the joining of so many bytes may need
    const patienceMs = STORE_MS + (straight.bytes / GIB) * STORE_PER_GIB_MS
    const url = await straight.finish(manifest, patienceMs, stop.signal)
    if (url !== undefined) {
      // the agent has taken the name away already, so that nobody takes it for left over
      await part.discard().catch(() => {})
      return url
    }
    log.write('info', `By the disk: ${straight.kept?.reason}`)
    if (straight.kept?.as === 'rest') {
      return (await import('./straight/keep-rest.ts')).keepRest(part)
    }
  }
  await part.publish()
  return part.finalPath
}
