import type { LookupResult, ProcessSnapshot } from '@core-dump-handler/cri'
import type { Crash } from '../crash/crash.ts'
import type { Question } from '../look-up/question.ts'
import type { StraightSink } from '../straight/straight-sink.ts'
import type { Task } from '../task.ts'
import { initFiles, readLog } from './container-entries.ts'
import { formatManifest } from './manifest.ts'
import type { ManifestCore, ManifestDelivery } from './manifest-type.ts'
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
 * the manifest last, which it resolves with. An entry that fails costs only itself; rejects when it is the manifest.
 */
export async function tellStory(bundle: Bundle, story: Story, task: Task): Promise<string> {
  const { found, snapshot, question } = story
  const { settings, problems, stop } = task
  const add = async (suffix: string, data: Uint8Array | string): Promise<void> => {
    await problems.guard('ENTRY_NOT_WRITTEN', () => bundle.zip.add(`${bundle.name}${suffix}`, data))
  }
  for (const { code, message } of [...(snapshot?.warnings ?? []), ...found.warnings]) {
    problems.add(code, message)
  }

  if (question.asked && !settings.ignoreCrio) {
    await add('-pod-info.json', json(found.podInfo))
    if (found.podInfo !== undefined) {
      await add('-runtime-info.json', json(found.runtimeInfo))
      await add('-ps-info.json', json(found.psInfo))
    }
    for (const [index, container] of found.containers.entries()) {
      await add(`-${index}.log`, await readLog(container, task))
      await add(`-${index}-image-info.json`, json(container.imageInfo))
      for (const [file, bytes] of initFiles(container, snapshot)) {
        await add(`-${index}-proc/${file}`, bytes)
      }
    }
  }
  for (const [file, bytes] of snapshot?.files ?? []) await add(`-process/${file}`, bytes)

  if (stop.cause) problems.add(stop.cause.code, stop.cause.message)
  bundle.giveRoom()
  // without it nobody could tell a whole core from a cut one: what is there is left to be salvaged
  const manifest = manifestOf(bundle, story, task)
  await bundle.zip.add(`${bundle.name}-manifest.json`, manifest)
  return manifest
}

function json(value: object | undefined): string {
  return JSON.stringify(value ?? {})
}

/** As far as it is known before the end. */
function deliveryOf({ kept }: StraightSink): ManifestDelivery {
  if (kept === undefined) return { way: 'straight' }
  return { way: kept.as === 'rest' ? 'straight-then-disk' : 'disk', reason: kept.reason }
}

function manifestOf(
  { uuid, straight }: Bundle,
  { crash, snapshot, found, question, core }: Story,
  { source, problems }: Task,
): string {
  const timings = {
    heldMs: source.heldMs,
    lookupMs: question.tookMs,
    totalMs: Math.round(process.uptime() * 1000),
  }
  const { identity } = found
  return formatManifest({
    uuid,
    crash,
    snapshot,
    identity,
    core,
    timings,
    ...(straight && { delivery: deliveryOf(straight) }),
    problems: problems.list,
  })
}
