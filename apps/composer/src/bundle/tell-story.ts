import type { LookupResult, ProcessSnapshot } from '@core-dump-handler/cri'
import type { Crash } from '../crash/crash.ts'
import type { Question } from '../look-up/question.ts'
import type { Task } from '../task.ts'
import { initFiles, readLog } from './container-entries.ts'
import { manifestText } from './manifest.ts'
import { containerEntry, ENTRY, processEntry, type ManifestCore } from '@core-dump-handler/bundle'
import type { Bundle } from './open.ts'

export interface Story {
  readonly crash: Crash
  readonly snapshot: ProcessSnapshot | undefined
  readonly found: LookupResult
  readonly question: Question
  readonly core: ManifestCore
}

/**
 * What was around the crash: version 9's entries in its order, the crashing process's own files,
 * the manifest last. An entry that fails costs only itself; rejects when it is the manifest.
 */
export async function tellStory(bundle: Bundle, story: Story, task: Task): Promise<void> {
  const { found, snapshot, question } = story
  const { settings, problems, stop } = task
  const add = async (suffix: string, data: Uint8Array | string): Promise<void> => {
    await problems.guard('ENTRY_NOT_WRITTEN', () => bundle.zip.add(`${bundle.name}${suffix}`, data))
  }
  for (const { code, message } of [...(snapshot?.warnings ?? []), ...found.warnings]) {
    problems.add(code, message)
  }

  if (question.asked && !settings.ignoreCrio) {
    await add(ENTRY.podInfo, json(found.podInfo))
    if (found.podInfo !== undefined) {
      await add(ENTRY.runtimeInfo, json(found.runtimeInfo))
      await add(ENTRY.psInfo, json(found.psInfo))
    }
    for (const [index, container] of found.containers.entries()) {
      const entry = containerEntry(index)
      await add(entry.log, await readLog(container, task))
      await add(entry.imageInfo, json(container.imageInfo))
      for (const [file, bytes] of initFiles(container, snapshot)) {
        await add(entry.processFile(file), bytes)
      }
    }
  }
  for (const [file, bytes] of snapshot?.files ?? []) await add(processEntry(file), bytes)

  if (stop.cause) problems.add(stop.cause.code, stop.cause.message)
  bundle.giveRoom()
  // without it nobody could tell a whole core from a cut one: what is there is left to be salvaged
  await bundle.zip.add(`${bundle.name}${ENTRY.manifest}`, manifestOf(bundle, story, task))
}

function json(value: object | undefined): string {
  return JSON.stringify(value ?? {})
}

function manifestOf(
  { uuid }: Bundle,
  { crash, snapshot, found, question, core }: Story,
  { source, problems }: Task,
): string {
  const timings = {
    heldMs: source.heldMs,
    lookupMs: question.tookMs,
    totalMs: Math.round(process.uptime() * 1000),
  }
  const { identity } = found
  return manifestText({
    uuid,
    crash,
    snapshot,
    identity,
    core,
    timings,
    problems: problems.list,
  })
}
