import { join } from 'node:path'
import { type LookUpResult, type ProcessSnapshot, snapshotProcess } from '@core-dump-handler/cri'
import { formatManifest } from './bundle/manifest.ts'
import { type Bundle, openBundle, outputDirectory } from './bundle/open.ts'
import { refuseCore, takeCore } from './bundle/take-core.ts'
import { entryAdder, tellStory } from './bundle/tell-story.ts'
import { needsLookup } from './bundle/template.ts'
import { type Crash, readCrash } from './crash.ts'
import { formatEvent, writeEvent } from './event.ts'
import { messageOf } from './problems.ts'
import { Question } from './question.ts'
import { type Selection, selectByLabel, selectByPolicy } from './selection.ts'
import type { Outcome, Task } from './task.ts'
import { randomUuid } from './uuid.ts'

const PROCESS_FILES = ['auxv', 'cmdline', 'environ', 'maps', 'status']

/** One crash: from fd 0 to a bundle under its final name. */
export async function compose(task: Task): Promise<Outcome> {
  const { settings, source, stop, problems, log } = task

  // who crashed: everything that vanishes with the process, before its first byte is read
  const crash = readCrash(task.args, problems)
  const snapshot = takeSnapshot(crash, task)

  // ask the runtime, but wait only for what the selector or the file name needs
  const question = new Question(subjectOf(crash, snapshot), task)
  const selecting = settings.podSelectorLabel !== '' && !settings.ignoreCrio && question.asked
  const naming = needsLookup(settings.filenameTemplate)
  const early = selecting || naming ? await question.identified() : undefined
  const directory = outputDirectory(task)
  let selection: Selection = selectByPolicy(crash, directory, task)
  if (selecting && early) {
    const byLabel = selectByLabel(
      settings.podSelectorLabel,
      early,
      crash.hostPid !== undefined,
      task,
    )
    if (byLabel.take !== 'core') selection = byLabel
  }
  if (selection.take === 'nothing') {
    source.release()
    log.write('info', `Left alone: ${selection.reason}`)
    await question.close()
    return { exitCode: 0 }
  }

  // drain: the process is held until this is done
  const bundle = await openBundle(directory, crash, await randomUuid(), early?.identity, task)
  const taking =
    selection.take === 'core'
      ? takeCore(bundle, task)
      : Promise.resolve(refuseCore(selection.reason, task))
  question.startSoon(taking)
  const { core, failed } = await taking

  // tell the story: nobody is held any more
  const found = await question.result()
  for (const { code, message } of [...(snapshot?.problems ?? []), ...found.problems]) {
    problems.add(code, message)
  }
  await tellStory(bundle, found, snapshot, question.asked, task)
  if (stop.cause) problems.add(stop.cause.code, stop.cause.message)
  const timings = {
    heldMs: source.heldMs,
    lookupMs: question.tookMs,
    totalMs: Math.round(process.uptime() * 1000),
  }
  const { identity } = found
  await entryAdder(bundle, task)(
    '-manifest.json',
    formatManifest({
      uuid: bundle.uuid,
      crash,
      snapshot,
      identity,
      core,
      timings,
      problems: problems.list,
    }),
  )

  // hand over
  await question.close()
  await bundle.zip.finish()
  await bundle.part.publish()
  if (settings.coreEvents) sendEvent(crash, bundle, found, directory, task)
  log.write(
    'info',
    `Wrote ${bundle.part.finalPath}: ${core.bytes} bytes, held ${timings.heldMs} ms, ${identity.status}`,
  )

  const exitCode = stop.cause?.exitCode ?? (failed || podIsMissing(crash, found, task) ? 1 : 0)
  return { exitCode, path: bundle.part.finalPath }
}

function takeSnapshot(crash: Crash, { settings }: Task): ProcessSnapshot | undefined {
  if (crash.hostPid === undefined) return undefined
  return snapshotProcess(crash.hostPid, {
    root: settings.procRoot,
    includeFiles: settings.includeProcInfo ? PROCESS_FILES : [],
    ...(crash.hostTid !== undefined && { tid: crash.hostTid }),
    ...(crash.pidfd !== undefined && { pidfd: crash.pidfd }),
  })
}

function subjectOf(crash: Crash, snapshot: ProcessSnapshot | undefined) {
  const timestamp = /^\d{1,11}$/.test(crash.timestamp) ? Number(crash.timestamp) : undefined
  return {
    snapshot,
    hostname: crash.hostname,
    crash: { timestamp, pid: crash.innerPid, uid: crash.uid, gid: crash.gid },
  }
}

/** Version 9 failed when it was given a host name and found no pod or `ps` for it. */
function podIsMissing(crash: Crash, found: LookUpResult, { settings }: Task): boolean {
  if (settings.ignoreCrio || crash.hostname === '' || found.identity.status === 'host') return false
  return found.podInfo === undefined || found.psInfo === undefined
}

function sendEvent(
  crash: Crash,
  bundle: Bundle,
  found: LookUpResult,
  cores: string,
  task: Task,
): void {
  const directory = task.settings.eventDirectory || join(task.home ?? cores, 'events')
  try {
    writeEvent(directory, bundle.uuid, formatEvent(crash, bundle, found))
  } catch (error) {
    task.log.write('error', `Cannot write the event to \`${directory}\`: ${messageOf(error)}`)
  }
}
